// `cache` on the command line.

import { cache } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";
import { readFileSwitch } from "../values.ts";

export const cacheEntry: FilterEntry = filterEntry({
  name: "cache",
  summary: "Blocks of a slow disk in a temporary file near by",
  keys: {
    cache: {
      type: "choice",
      values: ["writeback", "writethrough", "unsafe"],
      default: "writeback",
      help: "Writes go below with a flush, at once, or when it suits the cache",
    },
    "cache-min-block-size": { type: "size", default: "64k", help: "Bytes that are kept together: a power of two from 4k to 64M" },
    "cache-max-size": { type: "size", default: "the disk's size", help: "Bytes that the cache may take" },
    "cache-high-threshold": { type: "integer", default: "95", help: "When it has so many per cent of these, the oldest blocks go…" },
    "cache-low-threshold": { type: "integer", default: "80", help: "…until it has no more than so many" },
    "cache-max-dirty": { type: "size", default: "1G", help: "Bytes that may wait to be written back (not in nbdkit)" },
    "cache-on-read": {
      type: "string",
      default: "false",
      help: "Keep what is read: true, false, or /PATH of a file whose existence decides",
    },
  },
  create: ({
    cache: mode,
    "cache-min-block-size": blockSize,
    "cache-max-size": maxSize,
    "cache-high-threshold": highThreshold,
    "cache-low-threshold": lowThreshold,
    "cache-max-dirty": maxDirty,
    "cache-on-read": onRead,
  }) =>
    cache({
      ...(mode !== undefined && { mode }),
      ...(blockSize !== undefined && { blockSize }),
      ...(maxSize !== undefined && { maxSize }),
      ...(highThreshold !== undefined && { highThreshold }),
      ...(lowThreshold !== undefined && { lowThreshold }),
      ...(maxDirty !== undefined && { maxDirty }),
      ...(onRead !== undefined && { onRead: readFileSwitch(onRead, "cache-on-read") }),
    }),
});
