// The blocks of a disk that the cache filter keeps, shared by all its clients, each of whom brings the disk below as it has it open.

import type { BlockFile } from "../../common/block-file.ts";
import { BlockMap } from "../../common/block-map.ts";
import { mergedExtents } from "../../common/merged-extents.ts";
import { readPieces, writePieces } from "../../common/pieces.ts";
import { RangeLocks } from "../../common/range-locks.ts";
import { together } from "../../common/together.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Extent } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { errorCode } from "../../contract/error.ts";
import { type ExtentFlags, type WriteFlags, writeFlags, type ZeroFlags, zeroFlags } from "../../contract/flags.ts";
import { SlotTable } from "./slot-table.ts";

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

/** Not in the cache. */
const MISSING = 0;
/** Bytes that are read from below, or written back, at once. */
const AT_ONCE = 1024 * 1024;
const plain = writeFlags(false);
const fua = writeFlags(true);

/**
 * A cache of one disk. A block is clean (as below), dirty (to be written back), or written (back, but not flushed there yet): should that flush fail,
 * it is dirty again. Answers at once where the disk below and the file do.
 */
export class BlockCache {
  /** Of the disk, in bytes. */
  readonly size: bigint;
  readonly #file: BlockFile;
  readonly #mode: CacheMode;
  readonly #limits: CacheLimits;
  readonly #blockSize: number;
  readonly #shift: bigint;
  readonly #mask: bigint;
  readonly #map: BlockMap;
  readonly #slots: SlotTable = new SlotTable();
  readonly #locks: RangeLocks = new RangeLocks();
  readonly #dirty: Set<number> = new Set();
  #written: Set<number> = new Set();
  /** Disks through which something was written that has not been flushed since. */
  readonly #unflushed: Set<Disk> = new Set();
  /** Slots that are being filled, beside those in the table. */
  #filling = 0;
  #relieving: Promise<void> | undefined;
  /** The flush that the next one waits for, and how many there are. */
  #lastFlush: Promise<void> = Promise.resolve();
  #flushes = 0;

  constructor(size: bigint, file: BlockFile, mode: CacheMode, limits: CacheLimits) {
    this.size = size;
    this.#file = file;
    this.#mode = mode;
    this.#limits = limits;
    this.#blockSize = file.blockSize;
    this.#shift = BigInt(Math.log2(file.blockSize));
    this.#mask = BigInt(file.blockSize - 1);
    this.#map = new BlockMap(Number((size + this.#mask) >> this.#shift));
  }

  /** Bytes that have been written and are not below yet. */
  get dirtyBytes(): bigint {
    let bytes = 0n;
    for (const block of this.#dirty) bytes += BigInt(this.#sizeOf(block));
    return bytes;
  }

  /** Closes the file: what it holds is gone. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** Whether any block of a range is missing. */
  lacks(offset: bigint, length: bigint): boolean {
    const end = this.#block(offset + length - 1n) + 1;
    for (let block = this.#block(offset); block < end; block = this.#map.runEnd(block, end))
      if (this.#map.get(block) === MISSING) return true;
    return false;
  }

  /** Fills `target`; what is missing is read from below, and not kept. */
  read(disk: Disk, target: Uint8Array, offset: bigint): Awaitable<void> {
    const first = this.#block(offset);
    const last = this.#block(offset + BigInt(target.length - 1));
    if (!this.#locks.isFree(first, last, false)) return this.#locks.run(first, last, false, () => this.#read(disk, target, offset, last));
    const done = this.#read(disk, target, offset, last);
    return isPromise(done) ? this.#locks.during(first, last, false, done) : done;
  }

  /** What the disk below lends of a range of which nothing is kept. */
  views(disk: Disk, offset: bigint, length: number): readonly Uint8Array[] | undefined {
    if (length === 0) return undefined;
    const first = this.#block(offset);
    const end = this.#block(offset + BigInt(length - 1)) + 1;
    const missing = this.#map.get(first) === MISSING && this.#map.runEnd(first, end) === end;
    return missing && this.#locks.isFree(first, end - 1, false) ? disk.views?.(offset, length) : undefined;
  }

  /** Reads the missing blocks of a range from below and keeps them, as long as there is room. Rejects with what goes wrong in that. */
  async load(disk: Disk, offset: bigint, length: bigint, signal: AbortSignal): Promise<void> {
    const end = this.#block(offset + length - 1n) + 1;
    const most = Math.max(1, Math.min(Math.floor(AT_ONCE / this.#blockSize), this.#limits.low));
    for (let block = this.#block(offset), next = block; block < end; block = next) {
      signal.throwIfAborted();
      next = Math.min(this.#map.runEnd(block, end), block + most);
      if (this.#map.get(block) !== MISSING) continue;
      const [from, to] = [block, next];
      if (this.#crowded(to - from)) await this.#relieve(disk, to - from);
      await this.#locks.run(from, to - 1, true, () => this.#load(disk, from, to));
    }
  }

  /** Writes, as the mode has it. */
  write(disk: Disk, source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const first = this.#block(offset);
    const last = this.#block(offset + BigInt(source.length - 1));
    const through = this.#mode === "writethrough" || (flags.fua && this.#mode === "writeback");
    const blocks = last - first + 1;
    const crowded = !through && (this.#crowded(blocks) || this.#dirty.size + blocks > this.#limits.dirty);
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
    if (this.#dirty.size === 0) return disk.extents(offset, length, flags);
    return mergedExtents(disk, offset, offset + length, flags, (at, end) => {
      const first = this.#block(at);
      const last = this.#block(end - 1n);
      const dirty = this.#dirty.has(first);
      let next = first + 1;
      while (next <= last && this.#dirty.has(next) === dirty)
        next = this.#map.get(next) === MISSING ? this.#map.runEnd(next, last + 1) : next + 1;
      const stop = BigInt(next) << this.#shift;
      return { kind: dirty ? "data" : "below", end: stop < end ? stop : end };
    });
  }

  /**
   * Writes back what is dirty and flushes the disk below, in turn with other flushes. What fails stays dirty, or becomes so again, and is tried
   * again the next time.
   */
  flush(disk: Disk): Awaitable<void> {
    const others = this.#unflushed.size - (this.#unflushed.has(disk) ? 1 : 0);
    if (this.#flushes === 0 && this.#dirty.size === 0 && this.#written.size === 0 && others === 0) return this.#flushOne(disk);
    this.#flushes += 1;
    const flushing = this.#lastFlush.then(() => this.#flush(disk)).finally(() => (this.#flushes -= 1));
    this.#lastFlush = flushing.catch(() => undefined);
    return flushing;
  }

  /**
   * A disk below is about to be closed: what is dirty is written back through it unless somebody else is to do that, what was written through it is
   * flushed, and it is not asked any more.
   */
  async leave(disk: Disk, writeBack: boolean): Promise<void> {
    await this.#lastFlush;
    try {
      if (writeBack && this.#dirty.size + this.#written.size > 0) await this.flush(disk);
      else if (this.#unflushed.has(disk)) await this.#flushOne(disk);
    } finally {
      this.#unflushed.delete(disk);
    }
  }

  #read(disk: Disk, target: Uint8Array, offset: bigint, last: number): Awaitable<void> {
    const first = this.#block(offset);
    const inner = Number(offset & this.#mask);
    let later: PromiseLike<void>[] | undefined;
    for (let block = first, at = 0; block <= last; ) {
      const end = this.#map.runEnd(block, last + 1);
      const stop = Math.min(target.length, (end - first) * this.#blockSize - inner);
      const part = at === 0 && stop === target.length ? target : target.subarray(at, stop);
      const value = this.#map.get(block);
      let done: Awaitable<void>;
      try {
        if (value === MISSING) {
          done = disk.read(part, offset + BigInt(at));
        } else {
          for (let i = 0; i < end - block; i += 1) this.#slots.touch(value + i);
          done = this.#file.read(part, value, at === 0 ? inner : 0);
        }
      } catch (error) {
        if (later === undefined) throw error;
        done = Promise.reject(error);
      }
      if (isPromise(done)) {
        later ??= [];
        later.push(done);
      }
      at = stop;
      block = end;
    }
    if (later === undefined) return undefined;
    return later.length === 1 ? later[0] : together(later);
  }

  async #load(disk: Disk, first: number, end: number): Promise<void> {
    // Somebody may have brought them while this waited for its turn.
    if (this.#map.get(first) !== MISSING || this.#map.runEnd(first, end) < end || !this.#fits(end - first)) return;
    const start = BigInt(first) << this.#shift;
    const bytes = new Uint8Array((end - 1 - first) * this.#blockSize + this.#sizeOf(end - 1));
    await readPieces(disk, bytes, start);
    await this.#insertOr(first, end - first, bytes, nothing, nothing);
  }

  /** Keeps what follows the first `at` bytes of `source`, to be written back; what there is no room for is written through. */
  #write(disk: Disk, source: Uint8Array, offset: bigint, at: number): Awaitable<void> {
    const last = this.#block(offset + BigInt(source.length - 1));
    for (let written = at; written < source.length; ) {
      const from = offset + BigInt(written);
      const block = this.#block(from);
      const inner = Number(from & this.#mask);
      const left = source.length - written;
      const end = this.#map.runEnd(block, last + 1);
      const value = this.#map.get(block);
      let count = Math.min(left, (end - block) * this.#blockSize - inner);
      let done: Awaitable<void>;
      if (value !== MISSING) {
        done = this.#overwrite(block, end, value, inner, source.subarray(written, written + count));
      } else if (inner > 0 || left < this.#sizeOf(block)) {
        count = Math.min(left, this.#sizeOf(block) - inner);
        done = this.#complete(disk, block, inner, source.subarray(written, written + count));
      } else {
        // A part of a block at the end is its own step.
        const last = from + BigInt(count) === this.size;
        if (!last) count -= count % this.#blockSize;
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
      if (i * this.#blockSize >= inner + bytes.length) break;
      this.#slots.touch(slot + i);
      this.#soil(block + i);
    }
    return this.#file.write(bytes, slot, inner);
  }

  /** Keeps whole blocks that were missing. */
  #keep(disk: Disk, block: number, bytes: Uint8Array): Awaitable<void> {
    const count = Math.ceil(bytes.length / this.#blockSize);
    const through = (): Awaitable<void> => this.#toBelow(disk, bytes, BigInt(block) << this.#shift, plain);
    const soil = (): void => {
      for (let i = 0; i < count; i += 1) this.#soil(block + i);
    };
    return this.#insertOr(block, count, bytes, soil, through);
  }

  /** Writes a part of a block that was missing: the rest of it is read from below. */
  #complete(disk: Disk, block: number, inner: number, bytes: Uint8Array): Awaitable<void> {
    const start = BigInt(block) << this.#shift;
    const through = (): Awaitable<void> => this.#toBelow(disk, bytes, start + BigInt(inner), plain);
    if (!this.#fits(1)) return through();
    const whole = new Uint8Array(this.#sizeOf(block));
    const keep = (): Awaitable<void> => {
      whole.set(bytes, inner);
      return this.#insertOr(block, 1, whole, () => this.#soil(block), through);
    };
    const done = readPieces(disk, whole, start);
    return isPromise(done) ? done.then(keep) : keep();
  }

  /** Inserts blocks and says so to `kept`, or does `otherwise` when there is no room for them. */
  #insertOr(block: number, count: number, bytes: Uint8Array, kept: () => void, otherwise: () => Awaitable<void>): Awaitable<void> {
    if (!this.#fits(count)) return otherwise();
    let done: Awaitable<void>;
    try {
      done = this.#insert(block, count, bytes);
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
    this.#forget(block, block + count);
    return otherwise();
  }

  /** Writes blocks that were missing into slots; they are in the cache once that has succeeded. */
  #insert(block: number, count: number, bytes: Uint8Array): Awaitable<void> {
    for (let done = 0; done < count; ) {
      const slots = this.#file.allocate(count - done);
      const [from, at] = [block + done, done];
      done += slots.count;
      this.#filling += slots.count;
      let answer: Awaitable<void>;
      try {
        answer = this.#file.write(bytes.subarray(at * this.#blockSize, done * this.#blockSize), slots.first, 0);
      } catch (error) {
        this.#failed(slots.first, slots.count);
        throw error;
      }
      if (isPromise(answer)) return this.#insertLater(answer, slots.first, from, slots.count, block + done, count - done, bytes, done);
      this.#inserted(slots.first, from, slots.count);
    }
    return undefined;
  }

  async #insertLater(
    answer: PromiseLike<void>,
    slot: number,
    from: number,
    taken: number,
    next: number,
    left: number,
    bytes: Uint8Array,
    done: number,
  ): Promise<void> {
    try {
      await answer;
    } catch (error) {
      this.#failed(slot, taken);
      throw error;
    }
    this.#inserted(slot, from, taken);
    if (left > 0) await this.#insert(next, left, bytes.subarray(done * this.#blockSize));
  }

  #inserted(slot: number, block: number, count: number): void {
    this.#filling -= count;
    for (let i = 0; i < count; i += 1) {
      this.#map.set(block + i, slot + i);
      this.#slots.add(slot + i, block + i);
    }
  }

  #failed(slot: number, count: number): void {
    this.#filling -= count;
    this.#file.free(Array.from({ length: count }, (_, i) => slot + i));
  }

  /** Writes below, then into what is kept of the range; whole blocks that are missing are kept if there is room. */
  #writeThrough(disk: Disk, source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const done = this.#toBelow(disk, source, offset, flags);
    if (isPromise(done)) return done.then(() => this.#update(source, offset));
    return this.#update(source, offset);
  }

  /** What is kept of a range is what was written below: a dirty block stays dirty, a clean one clean. */
  #update(source: Uint8Array, offset: bigint): Awaitable<void> {
    const end = this.#block(offset + BigInt(source.length - 1)) + 1;
    const inner = Number(offset & this.#mask);
    const first = this.#block(offset);
    let later: PromiseLike<void>[] | undefined;
    for (let block = first, next = block; block < end; block = next) {
      next = this.#map.runEnd(block, end);
      const value = this.#map.get(block);
      const at = block === first ? 0 : (block - first) * this.#blockSize - inner;
      const stop = Math.min(source.length, (next - first) * this.#blockSize - inner);
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
    const skip = inner > 0 ? this.#blockSize - inner : 0;
    const from = inner > 0 ? block + 1 : block;
    let length = Math.max(0, bytes.length - skip);
    if ((BigInt(from) << this.#shift) + BigInt(length) !== this.size) length -= length % this.#blockSize;
    const count = Math.min(end - from, Math.ceil(length / this.#blockSize));
    if (count <= 0 || !this.#fits(count)) return undefined;
    return this.#insertOr(from, count, bytes.subarray(skip, skip + length), nothing, nothing);
  }

  /** Writes into blocks that are there what is below already. Where that fails, clean ones are forgotten, and dirty ones are the caller's to hear of. */
  #refresh(block: number, end: number, slot: number, inner: number, bytes: Uint8Array): Awaitable<void> {
    const forget = (error: unknown): void => {
      for (let at = block; at < end; at += 1) if (this.#dirty.has(at)) throw error;
      this.#forget(block, end);
    };
    let done: Awaitable<void>;
    try {
      done = this.#file.write(bytes, slot, inner);
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
    const first = this.#block(offset);
    const last = this.#block(offset + length - 1n);
    const work = (): Awaitable<void> => {
      const done = this.#change(disk, withFua, act);
      return isPromise(done) ? done.then(() => this.#wiped(offset, length, zeroes)) : this.#wiped(offset, length, zeroes);
    };
    if (!this.#locks.isFree(first, last, true)) return this.#locks.run(first, last, true, work);
    const done = work();
    return isPromise(done) ? this.#locks.during(first, last, true, done) : done;
  }

  /** Forgets the whole blocks of a range that is wiped below, and wipes the parts of those at its ends. */
  #wiped(offset: bigint, length: bigint, zeroes: boolean): Awaitable<void> {
    const stop = offset + length;
    let from = this.#block(offset);
    let to = this.#block(stop - 1n) + 1;
    const starts = BigInt(from) << this.#shift;
    const headEnd = starts + BigInt(this.#sizeOf(from));
    const head = offset > starts || stop < headEnd ? from : undefined;
    const tailStart = BigInt(to - 1) << this.#shift;
    const tail = to - 1 > from && stop < tailStart + BigInt(this.#sizeOf(to - 1)) ? to - 1 : undefined;
    if (head !== undefined) from += 1;
    if (tail !== undefined) to -= 1;
    this.#forget(from, to);
    // What a trim leaves is up to the disk: what is kept is as good as anything.
    if (!zeroes) return undefined;
    const later: PromiseLike<void>[] = [];
    const clear = (block: number, inner: bigint, bytes: bigint): void => {
      const slot = this.#map.get(block);
      if (slot === MISSING) return;
      const done = this.#refresh(block, block + 1, slot, Number(inner), new Uint8Array(Number(bytes)));
      if (isPromise(done)) later.push(done);
    };
    if (head !== undefined) clear(head, offset - starts, (stop < headEnd ? stop : headEnd) - offset);
    if (tail !== undefined) clear(tail, 0n, stop - tailStart);
    return later.length === 0 ? undefined : together(later);
  }

  /** Writes to the disk below. */
  #toBelow(disk: Disk, bytes: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    return this.#change(disk, flags.fua, (withFua) => writePieces(disk, bytes, offset, withFua ? fua : plain));
  }

  /** Changes the disk below, with FUA if that was asked for and it has any: one that has none has nothing to flush either. */
  #change(disk: Disk, withFua: boolean, act: (fua: boolean) => Awaitable<void>): Awaitable<void> {
    // Also when it fails, as it may have changed a part.
    this.#unflushed.add(disk);
    const done = act(withFua && this.#mode !== "unsafe" && disk.capabilities.fua !== "none");
    return isPromise(done) ? this.#changed(disk, done) : done;
  }

  async #changed(disk: Disk, done: PromiseLike<void>): Promise<void> {
    try {
      await done;
    } finally {
      // A flush that came meanwhile did not flush this.
      this.#unflushed.add(disk);
    }
  }

  async #flush(disk: Disk): Promise<void> {
    await this.#writeBack(disk, [...this.#dirty]);
    const covered = this.#written;
    this.#written = new Set();
    try {
      for (const one of new Set(this.#unflushed).add(disk)) await this.#flushOne(one);
    } catch (error) {
      // Nobody knows what of it is on stable storage: it is written once more.
      for (const block of covered) if (this.#map.get(block) !== MISSING) this.#dirty.add(block);
      throw error;
    }
  }

  #flushOne(disk: Disk): Awaitable<void> {
    const unflushed = this.#unflushed.delete(disk);
    const failed = (error: unknown): never => {
      if (unflushed) this.#unflushed.add(disk);
      throw error;
    };
    try {
      const done = disk.flush();
      return isPromise(done) ? done.then(undefined, failed) : undefined;
    } catch (error) {
      return failed(error);
    }
  }

  /** Writes dirty blocks below in the order of the disk, neighbours together; up to the first that fails. */
  async #writeBack(disk: Disk, blocks: readonly number[]): Promise<void> {
    const sorted = Float64Array.from(blocks).sort();
    const most = Math.max(1, Math.floor(AT_ONCE / this.#blockSize));
    for (let i = 0; i < sorted.length; ) {
      const first = sorted[i] as number;
      let end = first + 1;
      while (end - first < most && sorted[i + end - first] === end) end += 1;
      i += end - first;
      const next = end;
      await this.#locks.run(first, next - 1, false, () => this.#writeRun(disk, first, next));
    }
  }

  async #writeRun(disk: Disk, first: number, end: number): Promise<void> {
    for (let block = first; block < end; ) {
      if (!this.#dirty.has(block)) {
        block += 1;
        continue;
      }
      let next = block + 1;
      while (next < end && this.#dirty.has(next)) next += 1;
      const start = BigInt(block) << this.#shift;
      const bytes = new Uint8Array((next - block - 1) * this.#blockSize + this.#sizeOf(next - 1));
      for (let one = block, runEnd = one; one < next; one = runEnd) {
        runEnd = this.#map.runEnd(one, next);
        await this.#file.read(bytes.subarray((one - block) * this.#blockSize, (runEnd - block) * this.#blockSize), this.#map.get(one), 0);
      }
      await this.#toBelow(disk, bytes, start, plain);
      for (let one = block; one < next; one += 1) {
        this.#dirty.delete(one);
        this.#written.add(one);
      }
      block = next;
    }
  }

  /** Whether so many more blocks would be too many. */
  #crowded(more: number): boolean {
    return this.#slots.count + this.#filling + more > this.#limits.high;
  }

  #fits(more: number): boolean {
    return this.#slots.count + this.#filling + more <= this.#limits.most;
  }

  /** Makes room for so many blocks, one at a time; who cannot write makes what room is to be had without. */
  async #relieve(disk: Disk, more: number): Promise<void> {
    while (this.#relieving !== undefined) await this.#relieving.catch(() => undefined);
    if (!this.#crowded(more) && this.#dirty.size + more <= this.#limits.dirty) return;
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
    const excess = (): number => this.#slots.count + this.#filling - goal;
    const toWrite: number[] = [];
    const dirtyGoal = this.#dirty.size + more > dirty ? Math.max(0, Math.floor(dirty / 2)) : Number.POSITIVE_INFINITY;
    for (const { block, slot } of this.#slots.oldest()) {
      const dirtyLeft = this.#dirty.size - toWrite.length;
      if (excess() - toWrite.length <= 0 && dirtyLeft <= dirtyGoal) break;
      if (this.#dirty.has(block)) {
        if (disk.capabilities.write) toWrite.push(block);
      } else if (excess() > 0 && this.#locks.isFree(block, block, true)) {
        this.#drop(block, slot);
      }
    }
    if (toWrite.length === 0) return;
    await this.#writeBack(disk, toWrite);
    for (const { block, slot } of this.#slots.oldest()) {
      if (excess() <= 0) return;
      if (!this.#dirty.has(block) && this.#locks.isFree(block, block, true)) this.#drop(block, slot);
    }
  }

  /** Forgets the blocks from `first` to before `end`. */
  #forget(first: number, end: number): void {
    const slots: number[] = [];
    this.#map.fill(first, end, MISSING, (slot, block) => {
      slots.push(slot);
      this.#slots.remove(slot);
      this.#dirty.delete(block);
      this.#written.delete(block);
    });
    if (slots.length > 0) this.#file.free(slots);
  }

  #drop(block: number, slot: number): void {
    this.#map.set(block, MISSING);
    this.#slots.remove(slot);
    this.#written.delete(block);
    this.#file.free([slot]);
  }

  #soil(block: number): void {
    this.#written.delete(block);
    this.#dirty.add(block);
  }

  #block(offset: bigint): number {
    return Number(offset >> this.#shift);
  }

  /** Bytes of a block: the last one ends with the disk. */
  #sizeOf(block: number): number {
    const left = this.size - (BigInt(block) << this.#shift);
    return left < BigInt(this.#blockSize) ? Number(left) : this.#blockSize;
  }
}

function nothing(): void {
  // What cannot be kept is below.
}
