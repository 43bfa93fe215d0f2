// `truncate` on the command line.

import { truncate } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const truncateEntry: FilterEntry = filterEntry({
  name: "truncate",
  summary: "A disk cut off, made longer with zeroes, or rounded",
  keys: {
    truncate: { type: "size", default: "as the disk has", help: "The size of the disk" },
    "round-up": { type: "size", help: "Round that up to a multiple of so many bytes" },
    "round-down": { type: "size", help: "Round that down to a multiple of so many bytes" },
  },
  create: ({ truncate: size, "round-up": roundUp, "round-down": roundDown }) =>
    truncate({
      ...(size !== undefined && { size }),
      ...(roundUp !== undefined && { roundUp }),
      ...(roundDown !== undefined && { roundDown }),
    }),
});
