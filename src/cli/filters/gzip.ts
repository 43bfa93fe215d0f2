// `gzip` on the command line. It has no keys, as in nbdkit.

import { gzip } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const gzipEntry: FilterEntry = filterEntry({
  name: "gzip",
  summary: "What is in a gzip file, read anywhere, without a temporary file",
  keys: {},
  create: () => gzip(),
});
