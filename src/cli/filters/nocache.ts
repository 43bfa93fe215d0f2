// `nocache` on the command line.

import { nocache } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const nocacheEntry: FilterEntry = filterEntry({
  name: "nocache",
  summary: "Requests to bring a range near are not offered, done by reading, or ignored",
  keys: {
    cachemode: { type: "choice", values: ["none", "emulate", "nop"], default: "none", help: "Not offered, done by reading, or ignored" },
  },
  create: ({ cachemode: mode }) => nocache(mode === undefined ? {} : { mode }),
});
