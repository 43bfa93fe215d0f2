// `readahead` on the command line.

import { readahead } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const readaheadEntry: FilterEntry = filterEntry({
  name: "readahead",
  summary: "Fetches ahead for clients that read in sequence",
  keys: {},
  create: () => readahead(),
});
