// `null` on the command line.

import { nullDisk } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const nullEntry: PluginEntry = pluginEntry({
  name: "null",
  summary: "What is written is thrown away, everything reads as zeroes",
  keys: { size: { type: "size", magic: true, default: "0", help: "Size of the disk" } },
  create: ({ size }) => nullDisk(size),
});
