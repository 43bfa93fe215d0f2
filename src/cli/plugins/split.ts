// `split` on the command line.

import { split } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const splitEntry: PluginEntry = pluginEntry({
  name: "split",
  summary: "Several files one after the other, as one disk",
  keys: {
    file: { type: "path", magic: true, required: true, repeatable: true, help: "A file or block device; may be given several times" },
  },
  create: ({ file }) => split(file),
});
