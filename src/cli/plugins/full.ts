// `full` on the command line.

import { full } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const fullEntry: PluginEntry = pluginEntry({
  name: "full",
  summary: "A disk of zeroes without space for anything else",
  keys: { size: { type: "size", magic: true, required: true, help: "Size of the disk" } },
  create: ({ size }) => full(size),
});
