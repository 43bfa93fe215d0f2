// `floppy` on the command line.

import { floppy } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const floppyEntry: PluginEntry = pluginEntry({
  name: "floppy",
  summary: "A folder as a disk with a FAT32 file system, read-only and without a copy",
  keys: {
    dir: { type: "path", magic: true, required: true, help: "The folder" },
    label: { type: "string", default: "DISKWRIGHT", help: "The file system's name, up to 11 characters" },
    size: { type: "size", default: "as much as it takes", help: "Size of the whole disk" },
  },
  create: ({ dir, ...options }) => floppy(dir, options),
});
