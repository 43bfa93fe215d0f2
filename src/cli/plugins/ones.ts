// `ones` on the command line.

import { ones } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const onesEntry: PluginEntry = pluginEntry({
  name: "ones",
  summary: "Every byte is the same, what is written is thrown away",
  keys: {
    size: { type: "size", magic: true, default: "0", help: "Size of the disk" },
    byte: { type: "integer", default: "0xff", help: "What every byte is" },
  },
  create: ({ size, ...options }) => ones(size, options),
});
