// The options of the filter: what they may be, and what they are by default.

import { availableParallelism } from "node:os";
import { DiskError, parseSize, type Size } from "diskwright";

/** How {@link xz} decompresses. */
export interface XzOptions {
  /** Bytes of the largest block that is accepted; a file with a larger one is refused. At most 2G. Default: 512M. */
  readonly maxBlock?: Size;
  /** Blocks that are kept once they are decompressed, at least 1. Default: 8. */
  readonly maxDepth?: number;
  /** Bytes of the blocks that are kept, and again of those that are being decompressed; one block is always allowed. Default: 512M. */
  readonly maxMemory?: Size;
  /** Threads that decompress, 1 to 64. Default: as many as the machine has for this process. */
  readonly threads?: number;
}

/** The same, read. */
export interface Settings {
  readonly maxBlock: number;
  readonly depth: number;
  readonly memory: number;
  readonly threads: number;
}

/** Blocks are decompressed in memory of 32-bit WebAssembly, together with what they are made of. */
const LARGEST_BLOCK = 2n ** 31n;

/** Reads the options. Throws EINVAL when one is not what it should be. */
export function toSettings(options: XzOptions): Settings {
  const { maxBlock = "512M", maxDepth = 8, maxMemory = "512M", threads = Math.min(availableParallelism(), 64) } = options;
  return {
    maxBlock: Number(within(parseSize(maxBlock, "maxBlock"), "maxBlock", 1n, LARGEST_BLOCK)),
    depth: whole(maxDepth, "maxDepth", 1, 2 ** 24),
    memory: Number(within(parseSize(maxMemory, "maxMemory"), "maxMemory", 1n, BigInt(Number.MAX_SAFE_INTEGER))),
    threads: whole(threads, "threads", 1, 64),
  };
}

function within(value: bigint, name: string, least: bigint, most: bigint): bigint {
  if (value >= least && value <= most) return value;
  throw new DiskError("EINVAL", `${name} ${value}: expected ${least} to ${most} bytes`);
}

function whole(value: number, name: string, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new DiskError("EINVAL", `${name} ${String(value)}: expected a whole number from ${least} to ${most}`);
}
