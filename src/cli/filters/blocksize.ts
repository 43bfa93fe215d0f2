// `blocksize` on the command line.

import { blocksize } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const blocksizeEntry: FilterEntry = filterEntry({
  name: "blocksize",
  summary: "Requests of any alignment and length for disks that want whole blocks, and not too many at once",
  keys: {
    minblock: { type: "size", default: "as below", help: "Requests are multiples of so many bytes: a power of two, at most 64k" },
    maxdata: { type: "size", default: "as below, at most 64M", help: "Bytes to read or write at once" },
    maxlen: { type: "size", default: "any number", help: "Bytes to zero, trim, cache or list the extents of at once" },
  },
  create: (options) => blocksize(options),
});
