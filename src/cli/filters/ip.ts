// `ip` on the command line.

import { ip } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const ipEntry: FilterEntry = filterEntry({
  name: "ip",
  summary: "Who may connect, by address, process, user or group",
  keys: {
    allow: { type: "string", repeatable: true, help: "Who is let in whatever deny= says: all, 192.0.2.0/24, ::1, allunix, uid:1000 …" },
    deny: { type: "string", repeatable: true, help: "Who is not let in otherwise" },
  },
  create: (options) => ip(options),
});
