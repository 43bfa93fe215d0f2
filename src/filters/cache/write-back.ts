// What of a cache is not below yet, or not known to be on stable storage there, and how it gets there.

import { writePieces } from "../../common/pieces.ts";
import type { RangeLocks } from "../../common/range-locks.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import { writeFlags } from "../../contract/flags.ts";
import { type Kept, MISSING } from "./kept.ts";

/** Bytes that are written back at once. */
const AT_ONCE = 1024 * 1024;

/**
 * Knows of each block that is kept whether it is dirty (to be written back) or written (back, but not flushed there yet): should that flush fail, it is
 * dirty again. All others are clean: as below.
 */
export class WriteBack {
  readonly #kept: Kept;
  readonly #locks: RangeLocks;
  readonly #heedsFua: boolean;
  readonly #dirty: Set<number> = new Set();
  #written: Set<number> = new Set();
  /** Disks through which something was written that has not been flushed since. */
  readonly #unflushed: Set<Disk> = new Set();
  /** The flush that the next one waits for, and how many there are. */
  #lastFlush: Promise<void> = Promise.resolve();
  #flushes = 0;

  constructor(kept: Kept, locks: RangeLocks, heedsFua: boolean) {
    this.#kept = kept;
    this.#locks = locks;
    this.#heedsFua = heedsFua;
  }

  /** How many blocks are dirty. */
  get dirty(): number {
    return this.#dirty.size;
  }

  /** Bytes of the blocks that are dirty. */
  get dirtyBytes(): bigint {
    let bytes = 0n;
    for (const block of this.#dirty) bytes += BigInt(this.#kept.sizeOf(block));
    return bytes;
  }

  /** Whether a block is dirty. */
  isDirty(block: number): boolean {
    return this.#dirty.has(block);
  }

  /** A block has been written to. */
  soil(block: number): void {
    this.#written.delete(block);
    this.#dirty.add(block);
  }

  /** A block is not kept any more. */
  readonly forget = (block: number): void => {
    this.#dirty.delete(block);
    this.#written.delete(block);
  };

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

  /** Writes to the disk below. */
  toBelow(disk: Disk, bytes: Uint8Array, offset: bigint, fua: boolean): Awaitable<void> {
    return this.change(disk, fua, (withFua) => writePieces(disk, bytes, offset, writeFlags(withFua)));
  }

  /** Changes the disk below, with FUA if that was asked for and it has any: one that has none has nothing to flush either. */
  change(disk: Disk, withFua: boolean, act: (fua: boolean) => Awaitable<void>): Awaitable<void> {
    // Also when it fails, as it may have changed a part.
    this.#unflushed.add(disk);
    const done = act(withFua && this.#heedsFua && disk.capabilities.fua !== "none");
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
    await this.writeBack(disk, [...this.#dirty]);
    const covered = this.#written;
    this.#written = new Set();
    try {
      for (const one of new Set(this.#unflushed).add(disk)) await this.#flushOne(one);
    } catch (error) {
      // Nobody knows what of it is on stable storage: it is written once more.
      for (const block of covered) if (this.#kept.slot(block) !== MISSING) this.#dirty.add(block);
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
  async writeBack(disk: Disk, blocks: readonly number[]): Promise<void> {
    const sorted = Float64Array.from(blocks).sort();
    const most = Math.max(1, Math.floor(AT_ONCE / this.#kept.blockSize));
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
      const start = this.#kept.start(block);
      const bytes = new Uint8Array(this.#kept.bytesOf(block, next));
      for (let one = block, runEnd = one; one < next; one = runEnd) {
        runEnd = this.#kept.runEnd(one, next);
        await this.#kept.peek(
          bytes.subarray((one - block) * this.#kept.blockSize, (runEnd - block) * this.#kept.blockSize),
          this.#kept.slot(one),
        );
      }
      await this.toBelow(disk, bytes, start, false);
      for (let one = block; one < next; one += 1) {
        this.#dirty.delete(one);
        this.#written.add(one);
      }
      block = next;
    }
  }
}
