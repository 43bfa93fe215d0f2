// The sparse-random plugin: runs of data and holes, like the disk of a virtual machine, that check what is written to them.

import { BLOCK, checkSame, hash, RandomBlocks, toSeed } from "../common/random-blocks.ts";
import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";
import { Runs } from "./sparse-random/runs.ts";

/** What {@link sparseRandom} disks are made from. */
export interface SparseRandomOptions {
  /** The same seed gives the same disk, in every process. A whole number from 0 to 2^53-1. Default: a new one for each disk. */
  readonly seed?: number;
  /** How much of the disk is data, 0 to 100. Default: 10. */
  readonly percent?: number;
  /** How long a run of data is on average, in bytes. Default: 16 MiB. */
  readonly runLength?: Size;
  /** Every byte of the data is random. Default: false, and each block of 4 KiB repeats one random byte other than 0. */
  readonly randomContent?: boolean;
}

/** As many extents are listed at once; who wants more asks again. */
const MAX_EXTENTS = 4096;

/**
 * A disk with runs of random data and holes between them, of any size, that takes almost no memory. A write succeeds if it changes nothing,
 * and fails with EIO otherwise: copy the disk onto itself to test and to measure what copies.
 *
 * @param size - 0 to 2^63-1 bytes
 * @throws DiskError EINVAL when the size or an option is not what it should be
 * @example A terabyte, of which 100 GB are data
 * ```ts
 * await using server = await serve(sparseRandom("1T", { seed: 1 }));
 * ```
 */
export function sparseRandom(size: Size, options: SparseRandomOptions = {}): Plugin {
  const bytes = parseSize(size);
  const seed = toSeed(options.seed);
  const { percent = 10, randomContent = false } = options;
  if (typeof percent !== "number" || !(percent >= 0 && percent <= 100))
    throw new DiskError("EINVAL", `percent ${String(percent)}: expected 0 to 100`);
  const runLength = parseSize(options.runLength ?? "16M", "runLength");
  if (runLength === 0n) throw new DiskError("EINVAL", "runLength 0: expected a number of bytes from 1 on");

  const blocks = Number((bytes + BigInt(BLOCK) - 1n) / BigInt(BLOCK));
  const runs = new Runs(seed, blocks, percent, Math.max(1, Number(runLength) / BLOCK));
  const content = randomContent ? randomBytes(seed) : sameBytes(seed);
  const connection = connectionTo(bytes, runs, content);
  return { name: "sparse-random", open: () => connection };
}

/** What blocks of data hold: filled in, and checked, from byte `from` of the block on, into or against bytes `start` to `end`. */
interface Content {
  fill(block: number, from: number, target: Uint8Array, start: number, end: number): void;
  /** Throws EIO when something else is there. */
  check(block: number, from: number, source: Uint8Array, start: number, end: number, offset: bigint): void;
}

function randomBytes(seed: number): Content {
  const blocks = new RandomBlocks(seed);
  return {
    fill: (block, from, target, start, end) => target.set(blocks.get(block).subarray(from, from + end - start), start),
    check: (block, from, source, start, end, offset) => checkSame(blocks.get(block), from, source, start, end, offset),
  };
}

function sameBytes(seed: number): Content {
  const byteOf = (block: number): number => 1 + (hash(seed + 1, block) % 255);
  const pages: (Buffer | undefined)[] = [];
  return {
    fill: (block, _from, target, start, end) => void target.fill(byteOf(block), start, end),
    check(block, _from, source, start, end, offset) {
      const byte = byteOf(block);
      pages[byte] ??= Buffer.alloc(BLOCK, byte);
      checkSame(pages[byte], 0, source, start, end, offset);
    },
  };
}

function connectionTo(size: bigint, runs: Runs, content: Content): Connection {
  const block = BigInt(BLOCK);
  const hole = Buffer.alloc(BLOCK);

  /** Throws EIO unless all of a range is a hole. */
  const checkHole = (offset: bigint, length: bigint): void => {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const run = runs.at(Number(at / block));
      if (run.data) throw new DiskError("EIO", "what is to be zeroed is not zero", { offset: at });
      at = BigInt(run.end) * block;
    }
  };

  return {
    size,
    traits: { fua: "native", fastZero: true, multiConn: true },

    read(target, offset) {
      const skip = Number(offset % block);
      const first = Number(offset / block);
      for (let start = 0; start < target.length; ) {
        let at = first + Math.floor((skip + start) / BLOCK);
        const run = runs.at(at);
        const runEnd = Math.min(target.length, (run.end - first) * BLOCK - skip);
        if (!run.data) {
          target.fill(0, start, runEnd);
          start = runEnd;
          continue;
        }
        for (; start < runEnd; at += 1) {
          const end = Math.min(runEnd, (at + 1 - first) * BLOCK - skip);
          content.fill(at, (skip + start) % BLOCK, target, start, end);
          start = end;
        }
      }
    },

    write(source, offset) {
      const skip = Number(offset % block);
      const first = Number(offset / block);
      for (let start = 0; start < source.length; ) {
        let at = first + Math.floor((skip + start) / BLOCK);
        const run = runs.at(at);
        const runEnd = Math.min(source.length, (run.end - first) * BLOCK - skip);
        for (; start < runEnd; at += 1) {
          const end = Math.min(runEnd, (at + 1 - first) * BLOCK - skip);
          if (run.data) content.check(at, (skip + start) % BLOCK, source, start, end, offset);
          else checkSame(hole, 0, source, start, end, offset);
          start = end;
        }
      }
    },

    zero: checkHole,
    trim: checkHole,
    flush: () => undefined,
    cache: () => undefined,

    *extents(offset, length) {
      const end = offset + length;
      let at = offset - (offset % block);
      for (let count = 0; at < end && count < MAX_EXTENTS; count += 1) {
        const run = runs.at(Number(at / block));
        const next = BigInt(run.end) * block;
        yield { offset: at, length: next - at, hole: !run.data, zero: !run.data };
        at = next;
      }
    },
  };
}
