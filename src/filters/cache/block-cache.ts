// The blocks of a disk that the cache filter keeps, shared by all its clients, each of whom brings the disk below as it has it open.

import type { BlockFile } from "../../common/block-file.ts";
import { mergedExtents } from "../../common/merged-extents.ts";
import { readPieces } from "../../common/pieces.ts";
import { RangeLocks } from "../../common/range-locks.ts";
import { type Runs, readRuns } from "../../common/read-runs.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Extent } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { type ExtentFlags, type WriteFlags, writeFlags, type ZeroFlags, zeroFlags } from "../../contract/flags.ts";
import { Changes } from "./changes.ts";
import { Kept, MISSING } from "./kept.ts";
import { type CacheLimits, Room } from "./room.ts";
import { WriteBack } from "./write-back.ts";

/** When what is written reaches the disk below; see the options of the filter. */
export type CacheMode = "writeback" | "writethrough" | "unsafe";

/** Bytes that are read from below at once. */
const AT_ONCE = 1024 * 1024;

/**
 * A cache of one disk: what it keeps, and what of that is to be written back. Answers at once where the disk below and the file do.
 */
export class BlockCache implements Runs {
  readonly #kept: Kept;
  readonly #writeBack: WriteBack;
  readonly #mode: CacheMode;
  readonly #room: Room;
  readonly #changes: Changes;
  readonly #locks: RangeLocks = new RangeLocks();

  constructor(size: bigint, file: BlockFile, mode: CacheMode, limits: CacheLimits) {
    this.#kept = new Kept(size, file);
    this.#writeBack = new WriteBack(this.#kept, this.#locks, mode !== "unsafe");
    this.#mode = mode;
    this.#room = new Room(this.#kept, this.#writeBack, this.#locks, limits);
    this.#changes = new Changes(this.#kept, this.#writeBack, this.#room);
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
    const most = Math.max(1, Math.min(Math.floor(AT_ONCE / this.#kept.blockSize), this.#room.low));
    // More than that would push out what was just brought.
    let budget = this.#room.low;
    for (let block = this.#kept.block(offset), next = block; block < end && budget > 0; block = next) {
      signal.throwIfAborted();
      next = Math.min(this.#kept.runEnd(block, end), block + most);
      if (this.#kept.slot(block) !== MISSING) continue;
      const [from, to] = [block, next];
      budget -= to - from;
      if (this.#room.isCrowded(to - from)) await this.#room.relieve(disk, to - from);
      await this.#locks.run(from, to - 1, true, () => this.#load(disk, from, to));
    }
  }

  /** Writes, as the mode has it. */
  write(disk: Disk, source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const first = this.#kept.block(offset);
    const last = this.#kept.block(offset + BigInt(source.length - 1));
    const through = this.#mode === "writethrough" || (flags.fua && this.#mode === "writeback");
    const blocks = last - first + 1;
    const crowded = (!through || this.#mode === "writethrough") && this.#room.isCrowdedByWrites(blocks);
    if (crowded || !this.#locks.isFree(first, last, true)) {
      const work = (): Awaitable<void> =>
        through ? this.#changes.writeThrough(disk, source, offset, flags) : this.#changes.write(disk, source, offset);
      const turn = (): Promise<void> => this.#locks.run(first, last, true, work);
      return crowded ? this.#room.relieve(disk, blocks).then(turn) : turn();
    }
    const done = through ? this.#changes.writeThrough(disk, source, offset, flags) : this.#changes.write(disk, source, offset);
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
    if (!this.#kept.none(first, end) || !this.#room.fits(end - first)) return;
    const start = this.#kept.start(first);
    const bytes = new Uint8Array((end - 1 - first) * this.#kept.blockSize + this.#kept.sizeOf(end - 1));
    await readPieces(disk, bytes, start);
    await this.#changes.adopt(first, end - first, bytes);
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
      return isPromise(done) ? done.then(() => this.#changes.wiped(offset, length, zeroes)) : this.#changes.wiped(offset, length, zeroes);
    };
    if (!this.#locks.isFree(first, last, true)) return this.#locks.run(first, last, true, work);
    const done = work();
    return isPromise(done) ? this.#locks.during(first, last, true, done) : done;
  }
}
