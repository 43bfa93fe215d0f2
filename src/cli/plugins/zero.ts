// `zero` on the command line.

import { zeroDisk } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const zeroEntry: PluginEntry = pluginEntry({
  name: "zero",
  summary: "A disk of no bytes",
  keys: {},
  create: () => zeroDisk(),
});
