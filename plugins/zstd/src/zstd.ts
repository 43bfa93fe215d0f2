// The allocator: memory disks whose pages are compressed.

import { type Allocator, DiskError, parseSize, type Size } from "diskwright";
import { type Codec, loadCodec } from "./codec/codec.ts";
import { PAGE } from "./pages/page-table.ts";
import { CompressedStore } from "./pages/store.ts";

/** How {@link zstd} compresses. */
export interface ZstdOptions {
  /** The level of compression: 1 (quick) to 22 (small); below 0 quicker still. Default: 1. */
  readonly level?: number;
  /** Bytes of the pages that are kept uncompressed because they were used lately. Default: 8M. */
  readonly hot?: Size;
  /** Bytes of memory that the compressed pages of a disk may take; a write that needs more fails with ENOSPC. Default: what the machine has. */
  readonly limit?: Size;
}

/** How much memory the disks of an allocator take. */
export interface ZstdUsage {
  /** Bytes of the pages that hold data, as clients see them. */
  readonly data: number;
  /** Bytes of those pages compressed; pages that are kept uncompressed count once they are compressed. */
  readonly compressed: number;
  /** Bytes of memory set aside for both. */
  readonly memory: number;
}

/** An allocator that compresses, and tells what comes of it. */
export interface ZstdAllocator extends Allocator {
  /** How much the disks that it was used for take now. */
  readonly usage: ZstdUsage;
}

/**
 * Keeps a memory disk in compressed pages of 32 KiB: `memory(size, { allocator: zstd() })`. Pages of zeroes take nothing. What clients write in parts of
 * pages stays uncompressed for a while, so that a page which is written bit by bit is compressed once.
 *
 * It compresses with the package zstd-napi, or else with Node's own zstd (22.15 and later); the disk does not start where neither is there.
 *
 * @throws DiskError EINVAL when an option is not what it should be
 * @example A terabyte, as far as clients can tell
 * ```ts
 * const pages = zstd();
 * await using disk = await openDisk(memory("1T", { allocator: pages }));
 * await disk.write(Buffer.alloc(2 ** 20, "all the same "), 0n);
 * console.log(pages.usage.compressed < pages.usage.data);
 * ```
 */
export function zstd(options: ZstdOptions = {}): ZstdAllocator {
  const { level = 1, hot = "8M", limit } = options;
  if (!Number.isInteger(level)) throw new DiskError("EINVAL", `level ${String(level)}: expected a whole number, 1 to 22 or below 0`);
  const hotPages = Math.max(1, Math.floor(Number(parseSize(hot, "hot")) / PAGE));
  const most = limit === undefined ? Number.POSITIVE_INFINITY : Number(parseSize(limit, "limit"));
  // Only looked at for the account: the disk's plugin decides how long a store lives.
  const stores = new Set<WeakRef<CompressedStore>>();
  return {
    name: "zstd",
    async allocate(size) {
      const codec = await loadCodec();
      checkLevel(level, codec);
      const store = new CompressedStore(size, codec, { level, hot: hotPages, limit: most });
      stores.add(new WeakRef(store));
      return store;
    },
    get usage() {
      const usage = { data: 0, compressed: 0, memory: 0 };
      for (const reference of stores) {
        const store = reference.deref();
        if (store === undefined) {
          stores.delete(reference);
          continue;
        }
        const { pages, compressed, memory } = store.usage;
        usage.data += pages * PAGE;
        usage.compressed += compressed;
        usage.memory += memory;
      }
      return usage;
    },
  };
}

function checkLevel(level: number, { levels: [least, most], name }: Codec): void {
  if (level >= least && level <= most) return;
  throw new DiskError("EINVAL", `level ${level}: ${name} has levels ${least} to ${most}`);
}
