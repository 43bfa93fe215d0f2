// Exported as "@diskwright/xz/command": what `diskwright serve --filter=xz` finds.

import { type FilterEntry, filterEntry } from "diskwright/command";
import { xz } from "./xz.ts";

/** The filters of this package, as the command line has them. */
export const filters: readonly FilterEntry[] = [
  filterEntry({
    name: "xz",
    summary: "What is in an xz file, read anywhere",
    keys: {
      "xz-max-block": { type: "size", default: "512M", help: "Largest block that is accepted" },
      "xz-max-depth": { type: "integer", default: "8", help: "Blocks that are kept" },
      "xz-max-memory": { type: "size", default: "512M", help: "Bytes of the blocks that are kept, and of those being decompressed" },
      "xz-threads": { type: "integer", help: "Threads that decompress (default: one for each processor)" },
    },
    create: (options) => {
      const { "xz-max-block": maxBlock, "xz-max-depth": maxDepth, "xz-max-memory": maxMemory, "xz-threads": threads } = options;
      return xz({
        ...(maxBlock !== undefined && { maxBlock }),
        ...(maxDepth !== undefined && { maxDepth }),
        ...(maxMemory !== undefined && { maxMemory }),
        ...(threads !== undefined && { threads }),
      });
    },
  }),
];
