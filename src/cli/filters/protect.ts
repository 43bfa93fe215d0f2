// `protect` on the command line.

import { protect } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const protectEntry: FilterEntry = filterEntry({
  name: "protect",
  summary: "Parts of a disk that cannot be changed",
  keys: {
    protect: { type: "string", repeatable: true, help: "START-END, of the first and last byte; ~START-END for everything else" },
  },
  create: ({ protect: ranges = [] }) => protect(...ranges),
});
