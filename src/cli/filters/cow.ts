// `cow` on the command line.

import { cow } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";
import { readFileSwitch } from "../values.ts";

export const cowEntry: FilterEntry = filterEntry({
  name: "cow",
  summary: "Copy-on-write: a disk that can be written, of which nothing is saved",
  keys: {
    "cow-block-size": { type: "size", default: "64k", help: "Bytes that are kept together: a power of two from 4k to 64M" },
    "cow-on-cache": { type: "boolean", default: "false", help: "Copy what clients ask to have near" },
    "cow-on-read": { type: "string", default: "false", help: "Copy what is read: true, false, or /PATH of a file whose existence decides" },
  },
  create: ({ "cow-block-size": blockSize, "cow-on-cache": onCache, "cow-on-read": onRead }) =>
    cow({
      ...(blockSize !== undefined && { blockSize }),
      ...(onCache !== undefined && { onCache }),
      ...(onRead !== undefined && { onRead: readFileSwitch(onRead, "cow-on-read") }),
    }),
});
