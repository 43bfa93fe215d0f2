// `partitioning` on the command line.

import { resolve } from "node:path";
import { type PartitionSource, partitioning } from "../../index.ts";
import { type CreateContext, type PluginEntry, pluginEntry } from "../catalogue.ts";
import { readInteger } from "../values.ts";

const LINUX = 0x83;
const LINUX_GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

export const partitioningEntry: PluginEntry = pluginEntry({
  name: "partitioning",
  summary: "Files as the partitions of a disk, with an MBR or GPT",
  keys: {
    file: { type: "path", magic: true, required: true, repeatable: true, help: "What a partition holds; may be given several times" },
    "partition-type": { type: "choice", values: ["mbr", "gpt"], default: "gpt for more than 4 files or 2 TB", help: "The kind of table" },
    alignment: { type: "size", repeatable: true, default: "1M", help: "Of the files that follow" },
    "mbr-id": { type: "string", repeatable: true, default: "0x83", help: "MBR type of the files that follow, or `default`" },
    "type-guid": { type: "string", repeatable: true, default: "Linux", help: "GPT type of the files that follow, or `default`" },
  },
  create({ "partition-type": type }, context) {
    return partitioning(partitionsOf(context), type === undefined ? {} : { type });
  },
});

/** The files, each with what was said before it. */
function partitionsOf({ parameters }: CreateContext): PartitionSource[] {
  const partitions: PartitionSource[] = [];
  let said: Omit<PartitionSource, "source"> = {};
  for (const { key, value } of parameters) {
    if (key === "file") {
      partitions.push({ source: resolve(value), ...said });
      continue;
    }
    if (key === "alignment") said = { ...said, alignment: value };
    else if (key === "mbr-id") said = { ...said, mbrId: value === "default" ? LINUX : readInteger(value, key) };
    else if (key === "type-guid") said = { ...said, typeGuid: value === "default" ? LINUX_GUID : value };
  }
  return partitions;
}
