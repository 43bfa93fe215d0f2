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
  /** How long a run of data is on average, in bytes; at least 32 KiB, of which runs are multiples. Default: 16 MiB. */
  readonly runLength?: Size;
  /** Every byte of the data is random. Default: false, and each 32 KiB repeat one random byte other than 0. */
  readonly randomContent?: boolean;
}

/**
 * Runs are multiples of so many bytes, which are all the same unless every byte is random. With pages of this length, and lent, the server takes a tenth
 * less time for a copy than with 4 KiB that are filled in (nbdcopy of the disk onto itself).
 */
const GRAIN = 32 * 1024;
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

  const grains = Number((bytes + BigInt(GRAIN) - 1n) / BigInt(GRAIN));
  const runs = new Runs(seed, grains, percent, Math.max(1, Number(runLength) / GRAIN));
  const content = randomContent ? randomBytes(seed) : sameBytes(seed);
  const connection = connectionTo(bytes, runs, content);
  return { name: "sparse-random", open: () => connection };
}

/** What data holds: filled in, and checked, in pieces that lie within one unit each. */
interface Content {
  /** Bytes of a unit. */
  readonly unit: number;
  /** Fills bytes `start` to `end` of `target` with what is in a unit from byte `from` on. */
  fill(unit: number, from: number, target: Uint8Array, start: number, end: number): void;
  /** Throws EIO unless bytes `start` to `end` of `source` are what is in a unit from byte `from` on. */
  check(unit: number, from: number, source: Uint8Array, start: number, end: number, offset: bigint): void;
  /** All of a unit, to be lent. */
  lend?(unit: number): Uint8Array;
}

function randomBytes(seed: number): Content {
  const blocks = new RandomBlocks(seed);
  return {
    unit: BLOCK,
    fill: (block, from, target, start, end) => target.set(blocks.get(block).subarray(from, from + end - start), start),
    check: (block, from, source, start, end, offset) => checkSame(blocks.get(block), from, source, start, end, offset),
  };
}

function sameBytes(seed: number): Content {
  const byteOf = (unit: number): number => 1 + (hash(seed + 1, unit) % 255);
  const pages: (Buffer | undefined)[] = [];
  const lend = (unit: number): Buffer => {
    const byte = byteOf(unit);
    pages[byte] ??= Buffer.alloc(GRAIN, byte);
    return pages[byte];
  };
  return {
    unit: GRAIN,
    fill: (unit, _from, target, start, end) => void target.fill(byteOf(unit), start, end),
    check: (unit, _from, source, start, end, offset) => checkSame(lend(unit), 0, source, start, end, offset),
    lend,
  };
}

/** Where a range of data or a hole lies: bytes of the range. */
type Visit = (data: boolean, start: number, end: number) => void;

function connectionTo(size: bigint, runs: Runs, content: Content): Connection {
  const grain = BigInt(GRAIN);
  const { unit, lend } = content;
  const hole = Buffer.alloc(64 * 1024);

  /** Calls `visit` for each run of data and each hole of a range. */
  const eachRun = (offset: bigint, length: number, visit: Visit): void => {
    const first = Number(offset / grain);
    const skip = Number(offset % grain);
    for (let start = 0; start < length; ) {
      const run = runs.at(first + Math.floor((skip + start) / GRAIN));
      const end = Math.min(length, (run.end - first) * GRAIN - skip);
      visit(run.data, start, end);
      start = end;
    }
  };

  /** Throws EIO unless all of a range is a hole. */
  const checkHole = (offset: bigint, length: bigint): void => {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const run = runs.at(Number(at / grain));
      if (run.data) throw new DiskError("EIO", "what is to be zeroed is not zero", { offset: at });
      at = BigInt(run.end) * grain;
    }
  };

  const connection: Connection = {
    size,
    // Fast zeroing is not offered: who would zero the whole disk first, and then write the data, cannot do so here.
    traits: { fua: "native", multiConn: true },

    read(target, offset) {
      const first = Number(offset / BigInt(unit));
      const skip = Number(offset % BigInt(unit));
      eachRun(offset, target.length, (data, start, end) => {
        if (!data) target.fill(0, start, end);
        else {
          for (let at = start; at < end; ) {
            const number = first + Math.floor((skip + at) / unit);
            const next = Math.min(end, (number + 1 - first) * unit - skip);
            content.fill(number, (skip + at) % unit, target, at, next);
            at = next;
          }
        }
      });
    },

    write(source, offset) {
      const first = Number(offset / BigInt(unit));
      const skip = Number(offset % BigInt(unit));
      eachRun(offset, source.length, (data, start, end) => {
        for (let at = start; at < end; ) {
          const number = first + Math.floor((skip + at) / unit);
          const next = Math.min(end, (number + 1 - first) * unit - skip);
          if (data) content.check(number, (skip + at) % unit, source, at, next, offset);
          else checkSame(hole, 0, source, at, next, offset);
          at = next;
        }
      });
    },

    zero: checkHole,
    trim: checkHole,
    flush: () => undefined,
    cache: () => undefined,

    *extents(offset, length) {
      const end = offset + length;
      let at = offset - (offset % grain);
      for (let count = 0; at < end && count < MAX_EXTENTS; count += 1) {
        const run = runs.at(Number(at / grain));
        const next = BigInt(run.end) * grain;
        yield { offset: at, length: next - at, hole: !run.data, zero: !run.data };
        at = next;
      }
    },
  };
  if (lend === undefined) return connection;
  return {
    ...connection,
    views(offset, length) {
      const start = Number(offset / grain);
      const run = runs.at(start);
      if (!run.data || (run.end - start) * GRAIN - Number(offset % grain) < length) return undefined;
      const first = Number(offset / BigInt(unit));
      const skip = Number(offset % BigInt(unit));
      const views: Uint8Array[] = [];
      for (let at = 0; at < length; ) {
        const number = first + Math.floor((skip + at) / unit);
        const next = Math.min(length, (number + 1 - first) * unit - skip);
        const page = lend(number);
        views.push(next - at === unit ? page : page.subarray(0, next - at));
        at = next;
      }
      return views;
    },
  };
}
