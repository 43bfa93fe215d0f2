// `info` on the command line.

import { info } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const infoEntry: PluginEntry = pluginEntry({
  name: "info",
  summary: "Tells the client about itself and the server",
  keys: {
    mode: {
      type: "choice",
      values: ["exportname", "base64exportname", "address", "time", "uptime", "conntime", "version"],
      magic: true,
      default: "exportname",
      help: "What the disk holds",
    },
  },
  create: (options) => info(options),
});
