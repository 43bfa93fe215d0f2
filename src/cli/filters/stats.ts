// `stats` on the command line.

import { stats } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const statsEntry: FilterEntry = filterEntry({
  name: "stats",
  summary: "What clients did, summed up at the end",
  keys: {
    statsfile: { type: "path", required: true, help: "The file for the report" },
    statsappend: { type: "boolean", default: "false", help: "Add to the file instead of replacing it" },
    statsthreshold: { type: "integer", default: "95", help: "Percent of the requests of which sizes and alignments are listed; 0: none" },
  },
  create: ({ statsfile, statsappend, statsthreshold }) =>
    stats({
      file: statsfile,
      ...(statsappend !== undefined && { append: statsappend }),
      ...(statsthreshold !== undefined && { threshold: statsthreshold }),
    }),
});
