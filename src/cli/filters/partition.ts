// `partition` on the command line.

import { partition } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const partitionEntry: FilterEntry = filterEntry({
  name: "partition",
  summary: "One partition of a disk with an MBR or GPT",
  keys: {
    partition: { type: "integer", required: true, help: "Its number, counting from 1" },
    "partition-sectorsize": { type: "size", default: "as the disk says, or 512", help: "Bytes that the table counts by: 512 or 4k" },
  },
  create: (options) => {
    const sectorSize = options["partition-sectorsize"];
    return partition(options.partition, sectorSize === undefined ? {} : { sectorSize });
  },
});
