// Exported as "@diskwright/tmpdisk/command": what `diskwright serve tmpdisk` finds.

import { type Parameter, type PluginEntry, pluginEntry } from "diskwright/command";
import { tmpdisk } from "./tmpdisk.ts";

/** No variable of a shell has a dash in its name: these keys are in no command's way. */
const keys = {
  size: { type: "size", magic: true, required: true, help: "Size of each disk; with a command, what it is told" },
  type: { type: "string", default: "ext4", help: "File system: ext4, xfs, btrfs, vfat, or another that there is a mkfs.TYPE of" },
  label: { type: "string", help: "Label of the file system" },
  command: { type: "string", help: 'Shell script that creates "$disk" instead; any other key is a variable for it' },
  "tmpdisk-ready": { type: "integer", default: "0", help: "Disks that are made ahead of their clients" },
  "tmpdisk-max-total": { type: "size", help: "Bytes that all disks may have together (default: no limit)" },
  "tmpdisk-inline-writes": { type: "boolean", default: "true", help: "Write in the event loop while the page cache takes it at once" },
  "tmpdisk-timeout": { type: "duration", default: "300", help: "Longest that making a disk may take; 0 is no limit" },
} as const;

/** The plugins of this package, as the command line has them. */
export const plugins: readonly PluginEntry[] = [
  pluginEntry({
    name: "tmpdisk",
    summary: "A fresh, formatted disk for each client, gone when it leaves",
    keys,
    anyKey: true,
    create(options, { parameters }) {
      const {
        size,
        type,
        label,
        command,
        "tmpdisk-ready": ready,
        "tmpdisk-max-total": maxTotal,
        "tmpdisk-timeout": timeout,
        "tmpdisk-inline-writes": inlineWrites = true,
      } = options;
      return tmpdisk(size, {
        ...(type !== undefined && { type }),
        ...(label !== undefined && { label }),
        ...(command !== undefined && { command }),
        parameters: variablesOf(parameters),
        ...(ready !== undefined && { ready }),
        ...(maxTotal !== undefined && { maxTotal }),
        ...(timeout !== undefined && { timeout }),
        inlineWrites,
      });
    },
  }),
];

/** What is not one of our keys is for the command. */
function variablesOf(parameters: readonly Parameter[]): Record<string, string> {
  const others = parameters.filter(({ key }) => !Object.hasOwn(keys, key));
  return Object.fromEntries(others.map(({ key, value }) => [key, value]));
}
