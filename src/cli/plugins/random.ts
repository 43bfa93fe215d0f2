// `random` on the command line.

import { random } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const randomEntry: PluginEntry = pluginEntry({
  name: "random",
  summary: "Random bytes, and a check that writes change nothing",
  keys: {
    size: { type: "size", magic: true, required: true, help: "Size of the disk" },
    seed: { type: "integer", default: "another one each time", help: "The same number gives the same bytes" },
  },
  create: ({ size, ...options }) => random(size, options),
});
