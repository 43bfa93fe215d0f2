// `sparse-random` on the command line.

import { sparseRandom } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const sparseRandomEntry: PluginEntry = pluginEntry({
  name: "sparse-random",
  summary: "Runs of random data and holes, and a check that writes change nothing",
  keys: {
    size: { type: "size", magic: true, required: true, help: "Size of the disk" },
    seed: { type: "integer", default: "another one each time", help: "The same number gives the same disk" },
    percent: { type: "number", default: "10", help: "How much of the disk is data" },
    runlength: { type: "size", default: "16M", help: "How long a run of data is on average" },
    "random-content": { type: "boolean", default: "false", help: "Every byte is random; otherwise a block repeats one" },
  },
  create: ({ size, runlength: runLength, "random-content": randomContent, ...options }) =>
    sparseRandom(size, {
      ...options,
      ...(runLength !== undefined && { runLength }),
      ...(randomContent !== undefined && { randomContent }),
    }),
});
