// `fua` on the command line.

import { fua } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const fuaEntry: FilterEntry = filterEntry({
  name: "fua",
  summary: "Other ways of forcing what is written to stable storage, or none",
  keys: {
    fuamode: {
      type: "choice",
      values: ["none", "emulate", "native", "force", "pass", "discard"],
      default: "none",
      help: "What FUA and flushes do",
    },
  },
  create: ({ fuamode: mode }) => fua(mode === undefined ? {} : { mode }),
});
