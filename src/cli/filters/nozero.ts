// `nozero` on the command line.

import { nozero } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const nozeroEntry: FilterEntry = filterEntry({
  name: "nozero",
  summary: "Other ways of zeroing ranges, or none",
  keys: {
    zeromode: { type: "choice", values: ["none", "emulate", "notrim", "plugin"], default: "none", help: "How ranges are zeroed" },
    fastzeromode: {
      type: "choice",
      values: ["none", "slow", "ignore", "default"],
      default: "default",
      help: "What becomes of zeroing that is to fail rather than be slow",
    },
  },
  create: ({ zeromode: mode, fastzeromode: fastMode }) =>
    nozero({ ...(mode !== undefined && { mode }), ...(fastMode !== undefined && { fastMode }) }),
});
