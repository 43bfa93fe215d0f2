// `offset` on the command line.

import { offset } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const offsetEntry: FilterEntry = filterEntry({
  name: "offset",
  summary: "A part of a disk, by where it starts and how long it is",
  keys: {
    offset: { type: "size", default: "0", help: "Where the part starts, in bytes" },
    range: { type: "size", default: "to the end", help: "How many bytes it has" },
  },
  create: (options) => offset(options),
});
