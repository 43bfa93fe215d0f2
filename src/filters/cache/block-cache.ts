// The blocks of a disk that the cache filter keeps, shared by all its clients, each of whom brings the disk below as it has it open.

import type { BlockFile } from "../../common/block-file.ts";
import { mergedExtents } from "../../common/merged-extents.ts";
import { readPieces } from "../../common/pieces.ts";
import { RangeLocks } from "../../common/range-locks.ts";
import { type Runs, readRuns } from "../../common/read-runs.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Extent } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { errorCode } from "../../contract/error.ts";
import { type ExtentFlags, type WriteFlags, writeFlags, type ZeroFlags, zeroFlags } from "../../contract/flags.ts";
import { together } from "../../contract/together.ts";
import { Kept, MISSING } from "./kept.ts";
import { WriteBack } from "./write-back.ts";

/** When what is written reaches the disk below; see the options of the filter. */
export type CacheMode = "writeback" | "writethrough" | "unsafe";

/** How much a cache keeps, in blocks. */
export interface CacheLimits {
  /** At most so many. */
  readonly most: number;
  /** When there are so many, the oldest go… */
  readonly high: number;
  /** …until there are no more than these. */
  readonly low: number;
  /** At most so many that are not below yet. */
  readonly dirty: number;
}

/** Bytes that are read from below at once. */
const AT_ONCE = 1024 * 1024;

/**
 * A cache of one disk: what it keeps, and what of that is to be written back. Answers at once where the disk below and the file do.
 */
export class BlockCache implements Runs {
  readonly #kept: Kept;
  readonly #writeBack: WriteBack;
  readonly #mode: CacheMode;
  readonly #limits: CacheLimits;
  readonly #locks: RangeLocks = new RangeLocks();
  #relieving: Promise<void> | undefined;

  constructor(size: bigint, file: BlockFile, mode: CacheMode, limits: CacheLimits) {
    this.#kept = new Kept(size, file);
    this.#writeBack = new WriteBack(this.#kept, this.#locks, mode !== "unsafe");
    this.#mode = mode;
    this.#limits = limits;
  }

  /** Of the disk, in bytes. */
  get size(): bigint {
    return this.#kept.size;
  }

  /** Bytes that have been written and are not below yet. */
  get dirtyBytes(): bigint {
    return this.#writeBack.dirtyBytes;
  }

  /** Writes back what is dirty, and flushes the disk below; see {@link WriteBack.flush}. */
  flush(disk: Disk): Awaitable<void> {
    return this.#writeBack.flush(disk);
  }

  /** A disk below is about to be closed; see {@link WriteBack.leave}. */
  leave(disk: Disk, writeBack: boolean): Promise<void> {
    return this.#writeBack.leave(disk, writeBack);
  }

  /** Closes the file: what it holds is gone. */
  close(): Promise<void> {
    return this.#kept.close();
  }

  /** Whether any block of a range is missing. */
  lacks(offset: bigint, length: bigint): boolean {
    const end = this.#kept.block(offset + length - 1n) + 1;
    for (let block = this.#kept.block(offset); block < end; block = this.#kept.runEnd(block, end))
      if (this.#kept.slot(block) === MISSING) return true;
    return false;
  }

  /** Fills `target`; what is missing is read from below, and not kept. */
  read(disk: Disk, target: Uint8Array, offset: bigint): Awaitable<void> {
    const first = this.#kept.block(offset);
    const last = this.#kept.block(offset + BigInt(target.length - 1));
    if (!this.#locks.isFree(first, last, false)) return this.#locks.run(first, last, false, () => this.#read(disk, target, offset, last));
    const done = this.#read(disk, target, offset, last);
    return isPromise(done) ? this.#locks.during(first, last, false, done) : done;
  }

  /** What the disk below lends of a range of which nothing is kept. */
  views(disk: Disk, offset: bigint, length: number): readonly Uint8Array[] | undefined {
    if (length === 0) return undefined;
    const first = this.#kept.block(offset);
    const end = this.#kept.block(offset + BigInt(length - 1)) + 1;
    const missing = this.#kept.none(first, end);
    return missing && this.#locks.isFree(first, end - 1, false) ? disk.views?.(offset, length) : undefined;
  }

  /** Reads the missing blocks of a range from below and keeps them, as long as there is room. Rejects with what goes wrong in that. */
  async load(disk: Disk, offset: bigint, length: bigint, signal: AbortSignal): Promise<void> {
    const end = this.#kept.block(offset + length - 1n) + 1;
    const most = Math.max(1, Math.min(Math.floor(AT_ONCE / this.#kept.blockSize), this.#limits.low));
    // More than that would push out what was just brought.
    let budget = this.#limits.low;
    for (let block = this.#kept.block(offset), next = block; block < end && budget > 0; block = next) {
      signal.throwIfAborted();
      next = Math.min(this.#kept.runEnd(block, end), block + most);
      if (this.#kept.slot(block) !== MISSING) continue;
      const [from, to] = [block, next];
      budget -= to - from;
      if (this.#crowded(to - from)) await this.#relieve(disk, to - from);
      await this.#locks.run(from, to - 1, true, () => this.#load(disk, from, to));
    }
  }

  /** Writes, as the mode has it. */
  write(disk: Disk, source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const first = this.#kept.block(offset);
    const last = this.#kept.block(offset + BigInt(source.length - 1));
    const through = this.#mode === "writethrough" || (flags.fua && this.#mode === "writeback");
    const blocks = last - first + 1;
    const crowded =
      (!through || this.#mode === "writethrough") && (this.#crowded(blocks) || this.#writeBack.dirty + blocks > this.#limits.dirty);
    if (crowded || !this.#locks.isFree(first, last, true)) {
      const work = (): Awaitable<void> =>
        through ? this.#writeThrough(disk, source, offset, flags) : this.#write(disk, source, offset, 0);
      const turn = (): Promise<void> => this.#locks.run(first, last, true, work);
      return crowded ? this.#relieve(disk, blocks).then(turn) : turn();
    }
    const done = through ? this.#writeThrough(disk, source, offset, flags) : this.#write(disk, source, offset, 0);
    return isPromise(done) ? this.#locks.during(first, last, true, done) : done;
  }

  /** Zeroes a range below, and in what is kept of it. */
  zero(disk: Disk, offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void> {
    return this.#wipe(disk, offset, length, flags.fua, true, (withFua) =>
      disk.zero(offset, length, zeroFlags(withFua, flags.noHole, flags.fastZero)),
    );
  }

  /** Trims a range below, and forgets what is kept of it. */
  trim(disk: Disk, offset: bigint, length: bigint, flags: WriteFlags): Awaitable<void> {
    const zeroes = disk.capabilities.trimZeroes;
    return this.#wipe(disk, offset, length, flags.fua, zeroes, (withFua) => disk.trim(offset, length, writeFlags(withFua)));
  }

  /** Lists what the range holds: what is not below yet is data. */
  extents(disk: Disk, offset: bigint, length: bigint, flags: ExtentFlags): Awaitable<readonly Extent[]> {
    if (this.#writeBack.dirty === 0) return disk.extents(offset, length, flags);
    return mergedExtents(disk, offset, offset + length, flags, (at, end) => {
      const first = this.#kept.block(at);
      const last = this.#kept.block(end - 1n);
      const dirty = this.#writeBack.isDirty(first);
      let next = first + 1;
      while (next <= last && this.#writeBack.isDirty(next) === dirty)
        next = this.#kept.slot(next) === MISSING ? this.#kept.runEnd(next, last + 1) : next + 1;
      const stop = this.#kept.start(next);
      return { kind: dirty ? "data" : "below", end: next > last ? end : stop };
    });
  }

  #read(disk: Disk, target: Uint8Array, offset: bigint, last: number): Awaitable<void> {
    return readRuns(this, disk, target, offset, this.#kept.block(offset), this.#kept.inner(offset), last);
  }

  /** Bytes of a block. */
  get blockSize(): number {
    return this.#kept.blockSize;
  }

  /** Where the run of blocks ends that are kept together, or all missing; see {@link readRuns}. */
  runEnd(block: number, end: number): number {
    return this.#kept.runEnd(block, end);
  }

  /** Reads what a run of blocks holds; see {@link readRuns}. */
  readRun(disk: Disk, part: Uint8Array, offset: bigint, block: number, inner: number): Awaitable<void> {
    const value = this.#kept.slot(block);
    return value === MISSING ? disk.read(part, offset) : this.#kept.read(part, value, inner);
  }

  async #load(disk: Disk, first: number, end: number): Promise<void> {
    // Somebody may have brought them while this waited for its turn.
    if (!this.#kept.none(first, end) || !this.#fits(end - first)) return;
    const start = this.#kept.start(first);
    const bytes = new Uint8Array((end - 1 - first) * this.#kept.blockSize + this.#kept.sizeOf(end - 1));
    await readPieces(disk, bytes, start);
    await this.#insertOr(first, end - first, bytes, nothing, nothing);
  }

  /** Keeps what follows the first `at` bytes of `source`, to be written back; what there is no room for is written through. */
  #write(disk: Disk, source: Uint8Array, offset: bigint, at: number): Awaitable<void> {
    const last = this.#kept.block(offset + BigInt(source.length - 1));
    for (let written = at; written < source.length; ) {
      const from = offset + BigInt(written);
      const block = this.#kept.block(from);
      const inner = this.#kept.inner(from);
      const left = source.length - written;
      const end = this.#kept.runEnd(block, last + 1);
      const value = this.#kept.slot(block);
      let count = Math.min(left, (end - block) * this.#kept.blockSize - inner);
      let done: Awaitable<void>;
      if (value !== MISSING) {
        done = this.#overwrite(block, end, value, inner, source.subarray(written, written + count));
      } else if (inner > 0 || left < this.#kept.sizeOf(block)) {
        count = Math.min(left, this.#kept.sizeOf(block) - inner);
        done = this.#complete(disk, block, inner, source.subarray(written, written + count));
      } else {
        // A part of a block at the end is its own step.
        const last = from + BigInt(count) === this.size;
        if (!last) count -= count % this.#kept.blockSize;
        done = this.#keep(disk, block, source.subarray(written, written + count));
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

  /** Writes into blocks that are there. They are dirty from now on: a write that fails may have changed them. */
  #overwrite(block: number, end: number, slot: number, inner: number, bytes: Uint8Array): Awaitable<void> {
    for (let i = 0; i < end - block; i += 1) {
      if (i * this.#kept.blockSize >= inner + bytes.length) break;
      this.#writeBack.soil(block + i);
    }
    return this.#kept.write(bytes, slot, inner);
  }

  /** Keeps whole blocks that were missing. */
  #keep(disk: Disk, block: number, bytes: Uint8Array): Awaitable<void> {
    const count = Math.ceil(bytes.length / this.#kept.blockSize);
    const through = (): Awaitable<void> => this.#writeBack.toBelow(disk, bytes, this.#kept.start(block), false);
    const soil = (): void => {
      for (let i = 0; i < count; i += 1) this.#writeBack.soil(block + i);
    };
    return this.#insertOr(block, count, bytes, soil, through);
  }

  /** Writes a part of a block that was missing: the rest of it is read from below. */
  #complete(disk: Disk, block: number, inner: number, bytes: Uint8Array): Awaitable<void> {
    const start = this.#kept.start(block);
    const through = (): Awaitable<void> => this.#writeBack.toBelow(disk, bytes, start + BigInt(inner), false);
    if (!this.#fits(1)) return through();
    const whole = new Uint8Array(this.#kept.sizeOf(block));
    const keep = (): Awaitable<void> => {
      whole.set(bytes, inner);
      return this.#insertOr(block, 1, whole, () => this.#writeBack.soil(block), through);
    };
    const done = readPieces(disk, whole, start);
    return isPromise(done) ? done.then(keep) : keep();
  }

  /** Inserts blocks and says so to `kept`, or does `otherwise` when there is no room for them. */
  #insertOr(block: number, count: number, bytes: Uint8Array, kept: () => void, otherwise: () => Awaitable<void>): Awaitable<void> {
    if (!this.#fits(count)) return otherwise();
    let done: Awaitable<void>;
    try {
      done = this.#kept.insert(block, count, bytes);
    } catch (error) {
      return this.#unlessFull(error, block, count, otherwise);
    }
    if (!isPromise(done)) return kept();
    return done.then(kept, (error: unknown) => this.#unlessFull(error, block, count, otherwise));
  }

  /** A temporary folder that is full is no reason for a write to fail. */
  #unlessFull(error: unknown, block: number, count: number, otherwise: () => Awaitable<void>): Awaitable<void> {
    if (errorCode(error) !== "ENOSPC") throw error;
    // Those that came in before it was full would hide what is written through.
    this.#kept.forget(block, block + count, this.#writeBack.forget);
    return otherwise();
  }

  /** Writes below, then into what is kept of the range; whole blocks that are missing are kept if there is room. */
  #writeThrough(disk: Disk, source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const done = this.#writeBack.toBelow(disk, source, offset, flags.fua);
    if (isPromise(done)) return done.then(() => this.#update(source, offset));
    return this.#update(source, offset);
  }

  /** What is kept of a range is what was written below: a dirty block stays dirty, a clean one clean. */
  #update(source: Uint8Array, offset: bigint): Awaitable<void> {
    const end = this.#kept.block(offset + BigInt(source.length - 1)) + 1;
    const inner = this.#kept.inner(offset);
    const first = this.#kept.block(offset);
    let later: PromiseLike<void>[] | undefined;
    for (let block = first, next = block; block < end; block = next) {
      next = this.#kept.runEnd(block, end);
      const value = this.#kept.slot(block);
      const at = block === first ? 0 : (block - first) * this.#kept.blockSize - inner;
      const stop = Math.min(source.length, (next - first) * this.#kept.blockSize - inner);
      let done: Awaitable<void>;
      if (value === MISSING) done = this.#adopt(block, next, source.subarray(at, stop), block === first ? inner : 0);
      else done = this.#refresh(block, next, value, block === first ? inner : 0, source.subarray(at, stop));
      if (isPromise(done)) {
        later ??= [];
        later.push(done);
      }
    }
    return later === undefined ? undefined : together(later);
  }

  /** Keeps the whole ones of missing blocks that were just written below. What goes wrong changes nothing for anybody. */
  #adopt(block: number, end: number, bytes: Uint8Array, inner: number): Awaitable<void> {
    const skip = inner > 0 ? this.#kept.blockSize - inner : 0;
    const from = inner > 0 ? block + 1 : block;
    let length = Math.max(0, bytes.length - skip);
    if (this.#kept.start(from) + BigInt(length) !== this.size) length -= length % this.#kept.blockSize;
    const count = Math.min(end - from, Math.ceil(length / this.#kept.blockSize));
    if (count <= 0 || !this.#fits(count)) return undefined;
    return this.#insertOr(from, count, bytes.subarray(skip, skip + length), nothing, nothing);
  }

  /** Writes into blocks that are there what is below already. Where that fails, clean ones are forgotten, and dirty ones are the caller's to hear of. */
  #refresh(block: number, end: number, slot: number, inner: number, bytes: Uint8Array): Awaitable<void> {
    const forget = (error: unknown): void => {
      for (let at = block; at < end; at += 1) if (this.#writeBack.isDirty(at)) throw error;
      this.#kept.forget(block, end, this.#writeBack.forget);
    };
    let done: Awaitable<void>;
    try {
      done = this.#kept.write(bytes, slot, inner);
    } catch (error) {
      return forget(error);
    }
    return isPromise(done) ? done.then(undefined, forget) : undefined;
  }

  #wipe(
    disk: Disk,
    offset: bigint,
    length: bigint,
    withFua: boolean,
    zeroes: boolean,
    act: (fua: boolean) => Awaitable<void>,
  ): Awaitable<void> {
    const first = this.#kept.block(offset);
    const last = this.#kept.block(offset + length - 1n);
    const work = (): Awaitable<void> => {
      const done = this.#writeBack.change(disk, withFua, act);
      return isPromise(done) ? done.then(() => this.#wiped(offset, length, zeroes)) : this.#wiped(offset, length, zeroes);
    };
    if (!this.#locks.isFree(first, last, true)) return this.#locks.run(first, last, true, work);
    const done = work();
    return isPromise(done) ? this.#locks.during(first, last, true, done) : done;
  }

  /** Forgets the whole blocks of a range that is wiped below, and wipes the parts of those at its ends. */
  #wiped(offset: bigint, length: bigint, zeroes: boolean): Awaitable<void> {
    const stop = offset + length;
    let from = this.#kept.block(offset);
    let to = this.#kept.block(stop - 1n) + 1;
    const starts = this.#kept.start(from);
    const headEnd = starts + BigInt(this.#kept.sizeOf(from));
    const head = offset > starts || stop < headEnd ? from : undefined;
    const tailStart = this.#kept.start(to - 1);
    const tail = to - 1 > from && stop < tailStart + BigInt(this.#kept.sizeOf(to - 1)) ? to - 1 : undefined;
    if (head !== undefined) from += 1;
    if (tail !== undefined) to -= 1;
    this.#kept.forget(from, to, this.#writeBack.forget);
    // What a trim leaves is up to the disk: what is kept is as good as anything.
    if (!zeroes) return undefined;
    const later: PromiseLike<void>[] = [];
    const clear = (block: number, inner: bigint, bytes: bigint): void => {
      const slot = this.#kept.slot(block);
      if (slot === MISSING) return;
      const done = this.#refresh(block, block + 1, slot, Number(inner), new Uint8Array(Number(bytes)));
      if (isPromise(done)) later.push(done);
    };
    if (head !== undefined) clear(head, offset - starts, (stop < headEnd ? stop : headEnd) - offset);
    if (tail !== undefined) clear(tail, 0n, stop - tailStart);
    return later.length === 0 ? undefined : together(later);
  }

  /** Whether so many more blocks would be too many. */
  #crowded(more: number): boolean {
    return this.#kept.count + more > this.#limits.high;
  }

  #fits(more: number): boolean {
    return this.#kept.count + more <= this.#limits.most;
  }

  /** Makes room for so many blocks, one at a time; who cannot write makes what room is to be had without. */
  async #relieve(disk: Disk, more: number): Promise<void> {
    while (this.#relieving !== undefined) await this.#relieving.catch(() => undefined);
    if (!this.#crowded(more) && this.#writeBack.dirty + more <= this.#limits.dirty) return;
    this.#relieving = this.#relieveNow(disk, more);
    try {
      await this.#relieving;
    } finally {
      this.#relieving = undefined;
    }
  }

  async #relieveNow(disk: Disk, more: number): Promise<void> {
    const { low, high, dirty } = this.#limits;
    // Too many to be kept at all are no reason to forget the others.
    const goal = this.#crowded(more) && more <= high ? Math.min(low, high - more) : Number.POSITIVE_INFINITY;
    const excess = (): number => this.#kept.count - goal;
    const toWrite: number[] = [];
    const dirtyGoal = this.#writeBack.dirty + more > dirty ? Math.max(0, Math.floor(dirty / 2)) : Number.POSITIVE_INFINITY;
    for (const { block, slot } of this.#kept.oldest()) {
      const dirtyLeft = this.#writeBack.dirty - toWrite.length;
      if (excess() - toWrite.length <= 0 && dirtyLeft <= dirtyGoal) break;
      if (this.#writeBack.isDirty(block)) {
        if (disk.capabilities.write) toWrite.push(block);
      } else if (excess() > 0 && this.#locks.isFree(block, block, true)) {
        this.#drop(block, slot);
      }
    }
    if (toWrite.length === 0) return;
    await this.#writeBack.writeBack(disk, toWrite);
    for (const { block, slot } of this.#kept.oldest()) {
      if (excess() <= 0) return;
      if (!this.#writeBack.isDirty(block) && this.#locks.isFree(block, block, true)) this.#drop(block, slot);
    }
  }

  #drop(block: number, slot: number): void {
    this.#kept.drop(block, slot);
    this.#writeBack.forget(block);
  }
}

function nothing(): void {
  // What cannot be kept is below.
}
