// `limit` on the command line.

import { limit } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const limitEntry: FilterEntry = filterEntry({
  name: "limit",
  summary: "No more than so many clients at a time",
  keys: {
    limit: { type: "integer", default: "1", help: "Clients at a time; 0: any number" },
  },
  create: (options) => limit(options),
});
