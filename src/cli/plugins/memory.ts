// `memory` on the command line.

import { memory } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const memoryEntry: PluginEntry = pluginEntry({
  name: "memory",
  summary: "A disk in memory, gone when the server ends",
  keys: {
    size: { type: "size", magic: true, required: true, help: "Size of the disk: 64M, 1G … up to 2^63-1 bytes" },
    allocator: { type: "choice", values: ["sparse", "malloc"], default: "sparse", help: "Pages as they are written, or one flat buffer" },
  },
  create: ({ size, ...options }) => memory(size, options),
});
