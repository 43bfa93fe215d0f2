// `pattern` on the command line.

import { pattern } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const patternEntry: PluginEntry = pluginEntry({
  name: "pattern",
  summary: "Every eight bytes say where they are",
  keys: { size: { type: "size", magic: true, required: true, help: "Size of the disk" } },
  create: ({ size }) => pattern(size),
});
