// `exitwhen` on the command line.

import { exitWhen } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const exitwhenEntry: FilterEntry = filterEntry({
  name: "exitwhen",
  summary: "The server ends when something happens elsewhere",
  keys: {
    "exit-when-file-created": { type: "path", repeatable: true, help: "When there is such a file" },
    "exit-when-file-deleted": { type: "path", repeatable: true, help: "When there is no such file any more" },
    "exit-when-pipe-closed": {
      type: "integer",
      repeatable: true,
      help: "When the other end of the pipe at this file descriptor is closed",
    },
    "exit-when-process-exits": { type: "integer", repeatable: true, help: "When there is no such process any more" },
    "exit-when-script": { type: "string", repeatable: true, help: "When this shell script ends with 88" },
    "exit-when-poll": { type: "duration", default: "60", help: "How often that is looked at while there are no clients" },
  },
  create: (options) =>
    exitWhen({
      fileCreated: options["exit-when-file-created"] ?? [],
      fileDeleted: options["exit-when-file-deleted"] ?? [],
      pipeClosed: options["exit-when-pipe-closed"] ?? [],
      processExits: options["exit-when-process-exits"] ?? [],
      script: options["exit-when-script"] ?? [],
      ...(options["exit-when-poll"] !== undefined && { poll: options["exit-when-poll"] }),
    }),
});
