// What clients of the cow filter have written: blocks in a temporary file, laid over a disk that is only read.

import type { BlockFile } from "../../common/block-file.ts";
import { BlockMap, FIRST_SLOT } from "../../common/block-map.ts";
import { mergedExtents } from "../../common/merged-extents.ts";
import { readPieces } from "../../common/pieces.ts";
import { RangeLocks } from "../../common/range-locks.ts";
import { type Runs, readRuns } from "../../common/read-runs.ts";
import { isZeroes } from "../../common/zeroes.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Extent } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import type { ExtentFlags } from "../../contract/flags.ts";

/** Kinds of blocks: as below, or zeroes. From {@link FIRST_SLOT} on: kept in that slot. */
const BELOW = 0;
const ZERO = 1;
/** Bytes that are copied from below at once. */
const COPY = 1024 * 1024;

/**
 * The blocks of one disk that differ from those below, shared by all its clients, each of whom brings the disk below as it has it open.
 * Answers at once where the disk below and the file do.
 */
export class Overlay implements Runs {
  /** Of the disk, in bytes. */
  readonly size: bigint;
  readonly #file: BlockFile;
  /** Bytes. */
  readonly blockSize: number;
  readonly #shift: bigint;
  readonly #mask: bigint;
  readonly #map: BlockMap;
  readonly #locks: RangeLocks = new RangeLocks();
  readonly #zeroes: Uint8Array;
  /** For a block that is put together at once. */
  #scratch: Uint8Array | undefined;

  constructor(size: bigint, file: BlockFile) {
    this.size = size;
    this.#file = file;
    this.blockSize = file.blockSize;
    this.#shift = BigInt(Math.log2(file.blockSize));
    this.#mask = BigInt(file.blockSize - 1);
    this.#map = new BlockMap(Number((size + this.#mask) >> this.#shift));
    this.#zeroes = new Uint8Array(file.blockSize);
  }

  /** Fills `target`; what is not in the overlay is read from below. */
  read(disk: Disk, target: Uint8Array, offset: bigint): Awaitable<void> {
    const first = this.#block(offset);
    const last = this.#block(offset + BigInt(target.length - 1));
    if (!this.#locks.isFree(first, last, false)) return this.#locks.run(first, last, false, () => this.#read(disk, target, offset, last));
    const done = this.#read(disk, target, offset, last);
    return isPromise(done) ? this.#locks.during(first, last, false, done) : done;
  }

  /** What the disk below lends of a range that nothing was written to. */
  views(disk: Disk, offset: bigint, length: number): readonly Uint8Array[] | undefined {
    if (length === 0) return undefined;
    return this.#untouched(offset, BigInt(length)) ? disk.views?.(offset, length) : undefined;
  }

  /** Whether nothing of a range is as below. */
  kept(offset: bigint, length: bigint): boolean {
    const end = this.#block(offset + length - 1n) + 1;
    for (let block = this.#block(offset); block < end; block = this.#map.runEnd(block, end))
      if (this.#map.get(block) === BELOW) return false;
    return true;
  }

  /** Keeps `source`. */
  write(disk: Disk, source: Uint8Array, offset: bigint): Awaitable<void> {
    const first = this.#block(offset);
    const last = this.#block(offset + BigInt(source.length - 1));
    if (!this.#locks.isFree(first, last, true)) return this.#locks.run(first, last, true, () => this.#write(disk, source, offset, 0));
    const done = this.#write(disk, source, offset, 0);
    return isPromise(done) ? this.#locks.during(first, last, true, done) : done;
  }

  /** Makes a range read as zeroes, and takes no room for its whole blocks. */
  zero(disk: Disk, offset: bigint, length: bigint): Awaitable<void> {
    const first = this.#block(offset);
    const last = this.#block(offset + length - 1n);
    if (!this.#locks.isFree(first, last, true)) return this.#locks.run(first, last, true, () => this.#zero(disk, offset, offset + length));
    const done = this.#zero(disk, offset, offset + length);
    return isPromise(done) ? this.#locks.during(first, last, true, done) : done;
  }

  /** Lists what the range holds. */
  extents(disk: Disk, offset: bigint, length: bigint, flags: ExtentFlags): Awaitable<readonly Extent[]> {
    return mergedExtents(disk, offset, offset + length, flags, (at, end) => {
      const first = this.#block(at);
      const value = this.#map.get(first);
      const runEnd = BigInt(this.#map.runEnd(first, this.#block(end - 1n) + 1)) << this.#shift;
      return { end: runEnd < end ? runEnd : end, kind: value === BELOW ? "below" : value === ZERO ? "zero" : "data" };
    });
  }

  /** Calls `each` for the parts of a range that are as below. */
  async eachBelow(offset: bigint, length: bigint, each: (offset: bigint, length: bigint) => Awaitable<void>): Promise<void> {
    const end = this.#block(offset + length - 1n) + 1;
    for (let block = this.#block(offset), next = block; block < end; block = next) {
      next = this.#map.runEnd(block, end);
      if (this.#map.get(block) !== BELOW) continue;
      const from = max(offset, BigInt(block) << this.#shift);
      await each(from, min(offset + length, BigInt(next) << this.#shift) - from);
    }
  }

  /**
   * Copies the blocks of a range that are as below into the overlay; a block of zeroes takes no room. Rejects when one cannot be read or kept: the disk
   * is as it was then.
   */
  async copyUp(disk: Disk, offset: bigint, length: bigint, signal: AbortSignal): Promise<void> {
    const end = this.#block(offset + length - 1n) + 1;
    const most = Math.max(1, Math.floor(COPY / this.blockSize));
    for (let block = this.#block(offset); block < end; ) {
      signal.throwIfAborted();
      const runEnd = this.#map.runEnd(block, end);
      const next = Math.min(runEnd, block + most);
      const first = block;
      if (this.#map.get(block) === BELOW) await this.#locks.run(first, next - 1, true, () => this.#copyUp(disk, first, next));
      block = next;
    }
  }

  /** Whether all of a range is as below. */
  #untouched(offset: bigint, length: bigint): boolean {
    const first = this.#block(offset);
    const end = this.#block(offset + length - 1n) + 1;
    return this.#map.get(first) === BELOW && this.#map.runEnd(first, end) === end && this.#locks.isFree(first, end - 1, false);
  }

  async #copyUp(disk: Disk, first: number, end: number): Promise<void> {
    // Somebody may have written here while this waited for its turn.
    if (this.#map.get(first) !== BELOW || this.#map.runEnd(first, end) < end) return;
    const start = BigInt(first) << this.#shift;
    const bytes = new Uint8Array(Number(min(BigInt(end) << this.#shift, this.size) - start));
    await readPieces(disk, bytes, start);
    for (let block = first, at = 0; block < end; block += 1, at += this.blockSize) {
      const one = bytes.subarray(at, at + this.blockSize);
      if (isZeroes(one)) this.#map.fill(block, block + 1, ZERO, () => undefined);
      else await this.#keep(block, 1, one);
    }
  }

  #read(disk: Disk, target: Uint8Array, offset: bigint, last: number): Awaitable<void> {
    return readRuns(this, disk, target, offset, this.#block(offset), Number(offset & this.#mask), last);
  }

  /** Where the run of blocks of one kind ends; see {@link readRuns}. */
  runEnd(block: number, end: number): number {
    return this.#map.runEnd(block, end);
  }

  /** Reads what a run of blocks holds; see {@link readRuns}. */
  readRun(disk: Disk, part: Uint8Array, offset: bigint, block: number, inner: number): Awaitable<void> {
    const value = this.#map.get(block);
    if (value >= FIRST_SLOT) return this.#file.read(part, value, inner);
    if (value === BELOW) return disk.read(part, offset);
    part.fill(0);
    return undefined;
  }

  /** Writes what follows the first `at` bytes of `source`, run by run. */
  #write(disk: Disk, source: Uint8Array, offset: bigint, at: number): Awaitable<void> {
    for (let written = at; written < source.length; ) {
      const block = this.#block(offset + BigInt(written));
      const inner = Number((offset + BigInt(written)) & this.#mask);
      const left = source.length - written;
      const size = this.#sizeOf(block);
      let done: Awaitable<void>;
      let count = Math.min(left, size - inner);
      if (inner > 0 || left < size) {
        done = this.#patch(disk, block, inner, source.subarray(written, written + count));
      } else {
        // Whole blocks: as many as lie in one run. The disk's last one may be shorter.
        const blocks = this.#wholeBlocks(block, left);
        const end = this.#map.runEnd(block, block + blocks);
        const value = this.#map.get(block);
        const slots = value < FIRST_SLOT ? this.#file.allocate(end - block) : { first: value, count: end - block };
        count = Math.min(left, slots.count * this.blockSize);
        const bytes = source.subarray(written, written + count);
        done = value < FIRST_SLOT ? this.#keepIn(slots.first, block, slots.count, bytes) : this.#file.write(bytes, value, 0);
      }
      written += count;
      if (isPromise(done)) return this.#writeLater(done, disk, source, offset, written);
    }
    return undefined;
  }

  async #writeLater(done: PromiseLike<void>, disk: Disk, source: Uint8Array, offset: bigint, at: number): Promise<void> {
    await done;
    await this.#write(disk, source, offset, at);
  }

  #zero(disk: Disk, start: bigint, end: bigint): Awaitable<void> {
    let from = this.#block(start);
    let to = this.#block(end - 1n) + 1;
    const headEnd = min(BigInt(from + 1) << this.#shift, this.size);
    const head = start > BigInt(from) << this.#shift || end < headEnd;
    const tail = to - 1 > from && end < min(BigInt(to) << this.#shift, this.size);
    if (head) from += 1;
    if (tail) to -= 1;
    if (from < to) {
      const slots: number[] = [];
      this.#map.fill(from, to, ZERO, (slot) => slots.push(slot));
      // Nobody waits for that: it is only about room.
      if (slots.length > 0) this.#file.discard(slots).catch(() => undefined);
    }
    const headDone = head ? this.#patchZero(disk, start, min(end, headEnd)) : undefined;
    if (!tail) return headDone;
    const tailStart = BigInt(to) << this.#shift;
    if (isPromise(headDone)) return headDone.then(() => this.#patchZero(disk, tailStart, end));
    return this.#patchZero(disk, tailStart, end);
  }

  /** Zeroes a part of one block. */
  #patchZero(disk: Disk, start: bigint, end: bigint): Awaitable<void> {
    const block = this.#block(start);
    if (this.#map.get(block) === ZERO) return undefined;
    return this.#patch(disk, block, Number(start & this.#mask), this.#zeroes.subarray(0, Number(end - start)));
  }

  /** Writes a part of one block, which is completed from below if need be. */
  #patch(disk: Disk, block: number, inner: number, bytes: Uint8Array): Awaitable<void> {
    const value = this.#map.get(block);
    if (value >= FIRST_SLOT) return this.#file.write(bytes, value, inner);
    const scratch = this.#scratch ?? new Uint8Array(this.blockSize);
    this.#scratch = undefined;
    const whole = scratch.subarray(0, this.#sizeOf(block));
    const done = value === ZERO ? void whole.fill(0) : readPieces(disk, whole, BigInt(block) << this.#shift);
    if (isPromise(done)) return this.#patchLater(done, block, inner, bytes, whole);
    whole.set(bytes, inner);
    const kept = this.#keep(block, 1, whole);
    if (isPromise(kept)) return kept;
    this.#scratch = scratch;
    return undefined;
  }

  async #patchLater(done: PromiseLike<void>, block: number, inner: number, bytes: Uint8Array, whole: Uint8Array): Promise<void> {
    await done;
    whole.set(bytes, inner);
    await this.#keep(block, 1, whole);
  }

  #keep(block: number, count: number, bytes: Uint8Array): Awaitable<void> {
    return this.#keepIn(this.#file.allocate(count).first, block, count, bytes);
  }

  /** Writes blocks into slots that are new to them; they are theirs once that has succeeded. */
  #keepIn(slot: number, block: number, count: number, bytes: Uint8Array): Awaitable<void> {
    let done: Awaitable<void>;
    try {
      done = this.#file.write(bytes, slot, 0);
    } catch (error) {
      this.#release(slot, count);
      throw error;
    }
    if (isPromise(done)) return this.#keepLater(done, slot, block, count);
    this.#assign(slot, block, count);
    return undefined;
  }

  async #keepLater(done: PromiseLike<void>, slot: number, block: number, count: number): Promise<void> {
    try {
      await done;
    } catch (error) {
      this.#release(slot, count);
      throw error;
    }
    this.#assign(slot, block, count);
  }

  #assign(slot: number, block: number, count: number): void {
    for (let i = 0; i < count; i += 1) this.#map.set(block + i, slot + i);
  }

  #release(slot: number, count: number): void {
    this.#file.free(Array.from({ length: count }, (_, i) => slot + i));
  }

  #block(offset: bigint): number {
    return Number(offset >> this.#shift);
  }

  /** Bytes of a block: the last one ends with the disk. */
  #sizeOf(block: number): number {
    const left = this.size - (BigInt(block) << this.#shift);
    return left < BigInt(this.blockSize) ? Number(left) : this.blockSize;
  }

  /** How many whole blocks from `block` on lie in `bytes` bytes. */
  #wholeBlocks(block: number, bytes: number): number {
    const full = Math.floor(bytes / this.blockSize);
    const rest = bytes - full * this.blockSize;
    return rest > 0 && (BigInt(block) << this.#shift) + BigInt(bytes) === this.size ? full + 1 : full;
  }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
