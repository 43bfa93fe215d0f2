// `log` on the command line.

import { log } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const logEntry: FilterEntry = filterEntry({
  name: "log",
  summary: "Every request, written down",
  keys: {
    logfile: { type: "path", help: "The file for the log" },
    logappend: { type: "boolean", default: "false", help: "Add to the file instead of emptying it first" },
    logscript: { type: "string", help: "A shell script that is run for each entry, with variables $act, $type, $id, $offset …" },
  },
  create: ({ logfile, logappend, logscript }) =>
    log({
      ...(logfile !== undefined && { file: logfile }),
      ...(logappend !== undefined && { append: logappend }),
      ...(logscript !== undefined && { script: logscript }),
    }),
});
