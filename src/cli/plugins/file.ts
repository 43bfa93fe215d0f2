// `file` on the command line.

import { file } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";
import { UsageError } from "../usage-error.ts";

export const fileEntry: PluginEntry = pluginEntry({
  name: "file",
  summary: "A file or block device, or each file of a folder",
  keys: {
    file: { type: "path", magic: true, help: "The file or block device" },
    dir: { type: "path", help: "A folder: each of its files and block devices is an export" },
    dirfd: { type: "integer", help: "The same by the number of an open file descriptor" },
    fd: { type: "integer", help: "The number of an open file descriptor of a file or block device" },
    cache: {
      type: "choice",
      values: ["default", "none"],
      default: "default",
      help: "Whether what was read or written stays in the page cache",
    },
    fadvise: { type: "choice", values: ["normal", "random", "sequential"], default: "normal", help: "How the file will be read" },
    "inline-writes": {
      type: "boolean",
      default: "true",
      help: "Write in the event loop while the page cache takes it at once; else by threads",
    },
  },
  create({ file: path, dir, dirfd, fd, "inline-writes": inlineWrites = true, ...hints }) {
    const options = { ...hints, inlineWrites };
    const sources = [path, dir, dirfd, fd].filter((source) => source !== undefined).length;
    if (sources !== 1)
      throw new UsageError(`expected one of file=, dir=, dirfd= and fd=, not ${sources === 0 ? "none" : "several"} of them`);
    if (path !== undefined) return file(path, options);
    if (dir !== undefined) return file({ dir }, options);
    return file(dirfd === undefined ? { fd: fd as number } : { dirfd }, options);
  },
});
