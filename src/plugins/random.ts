// The random plugin: a disk full of random bytes that checks what is written to it.

import { BLOCK, checkSame, RandomBlocks, toSeed } from "../common/random-blocks.ts";
import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

/** What {@link random} disks are made from. */
export interface RandomOptions {
  /** The same seed gives the same bytes, in every process. A whole number from 0 to 2^53-1. Default: a new one for each disk. */
  readonly seed?: number;
}

/**
 * A disk full of random bytes that takes no memory. A write succeeds if it changes nothing; any other fails with EIO, as zeroing and trimming do: copy
 * the disk onto itself to test what copies. The bytes are not fit for secrets.
 *
 * @param size - 0 to 2^63-1 bytes
 * @throws DiskError EINVAL when the size is none, or the seed
 * @example
 * ```ts
 * await using disk = await openDisk(random("1G", { seed: 1 }));
 * ```
 */
export function random(size: Size, options: RandomOptions = {}): Plugin {
  const blocks = new RandomBlocks(toSeed(options.seed));
  const connection: Connection = {
    size: parseSize(size),
    traits: { multiConn: true },
    read(target, offset) {
      eachBlock(offset, target.length, (block, from, start, end) => {
        target.set(blocks.get(block).subarray(from, from + end - start), start);
      });
    },
    write(source, offset) {
      eachBlock(offset, source.length, (block, from, start, end) => {
        checkSame(blocks.get(block), from, source, start, end, offset);
      });
    },
    zero: refuse,
    trim: refuse,
    cache: () => undefined,
  };
  return { name: "random", open: () => connection };
}

/** Who zeroes or trims is to be told so: what copies has taken data for a hole. */
function refuse(offset: bigint): never {
  throw new DiskError("EIO", "what is to be zeroed is not zero: a random disk has no holes", { offset });
}

/** Calls `use` for each block of a range: the block's number, where in it the range begins, and which bytes of the range it has. */
function eachBlock(offset: bigint, length: number, use: (block: number, from: number, start: number, end: number) => void): void {
  let block = Number(offset / BigInt(BLOCK));
  let from = Number(offset % BigInt(BLOCK));
  for (let start = 0; start < length; block += 1) {
    const end = Math.min(length, start + BLOCK - from);
    use(block, from, start, end);
    start = end;
    from = 0;
  }
}
