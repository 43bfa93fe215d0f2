// Exported as "@diskwright/zstd/command": what `diskwright serve --filter=zstd` finds.

import { type FilterEntry, filterEntry } from "diskwright/command";
import { unzstd } from "./unzstd.ts";

/** The filters of this package, as the command line has them. */
export const filters: readonly FilterEntry[] = [
  filterEntry({
    name: "zstd",
    summary: "What is in a zstd file, read anywhere",
    keys: {
      "zstd-max-memory": { type: "size", default: "64M", help: "Bytes of decompressed content that are kept for each client" },
      "zstd-max-window": { type: "size", default: "128M", help: "Memory that decompressing may take: a power of two" },
    },
    create: ({ "zstd-max-memory": maxMemory, "zstd-max-window": maxWindow }) =>
      unzstd({ ...(maxMemory !== undefined && { maxMemory }), ...(maxWindow !== undefined && { maxWindow }) }),
  }),
];
