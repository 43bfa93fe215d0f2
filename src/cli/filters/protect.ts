// `protect` on the command line.

import { protect } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const protectEntry: FilterEntry = filterEntry({
  name: "protect",
  summary: "Parts of a disk that can be read but not changed",
  keys: {
    protect: {
      type: "string",
      repeatable: true,
      help: "START-END in bytes, both included; ~START-END for all but that. Several are added up",
    },
  },
  create: ({ protect: ranges = [] }) => protect(...ranges),
});
