// `memory` on the command line.

import { type Allocator, memory } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";
import { importPackage } from "../packages.ts";
import { UsageError } from "../usage-error.ts";
import { readInteger } from "../values.ts";

export const memoryEntry: PluginEntry = pluginEntry({
  name: "memory",
  summary: "A disk in memory, gone when the server ends",
  keys: {
    size: { type: "size", magic: true, required: true, help: "Size of the disk: 64M, 1G … up to 2^63-1 bytes" },
    allocator: {
      type: "string",
      default: "sparse",
      help: "sparse: pages as they are written; malloc: one flat buffer; zstd, or zstd,level=N: compressed pages",
    },
  },
  create: async ({ size, allocator }) => memory(size, { allocator: await toAllocator(allocator) }),
});

/** Where a disk in memory keeps its bytes, by nbdkit's word for it. */
export async function toAllocator(text = ""): Promise<"sparse" | "malloc" | Allocator> {
  if (text === "" || text === "sparse") return "sparse";
  if (text === "malloc") return text;
  const match = /^zstd(?:,level=(.*))?$/.exec(text);
  if (match === null) throw new UsageError(`allocator ${JSON.stringify(text)}: expected sparse, malloc, zstd or zstd,level=N`);
  const level = match[1] === undefined ? {} : { level: readInteger(match[1], "the level of the allocator") };
  const loaded = await importPackage("@diskwright/zstd");
  if (loaded === undefined) throw new UsageError("the allocator zstd is in a package of its own: npm i @diskwright/zstd");
  return (loaded as { zstd(options: { readonly level?: number }): Allocator }).zstd(level);
}
