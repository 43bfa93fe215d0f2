// What becomes of the blocks that are kept when a range is written, wiped or brought from below. Whoever calls has a lock on the range.

import { readPieces } from "../../common/pieces.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import { errorCode } from "../../contract/error.ts";
import type { WriteFlags } from "../../contract/flags.ts";
import { together } from "../../contract/together.ts";
import { type Kept, MISSING } from "./kept.ts";
import type { Room } from "./room.ts";
import type { WriteBack } from "./write-back.ts";

/** The ways in which blocks change. Answers at once where the disk below and the file do. */
export class Changes {
  readonly #kept: Kept;
  readonly #writeBack: WriteBack;
  readonly #room: Room;

  constructor(kept: Kept, writeBack: WriteBack, room: Room) {
    this.#kept = kept;
    this.#writeBack = writeBack;
    this.#room = room;
  }

  /** Keeps what follows the first `at` bytes of `source`, to be written back; what there is no room for is written through. */
  write(disk: Disk, source: Uint8Array, offset: bigint, at: number = 0): Awaitable<void> {
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
        const last = from + BigInt(count) === this.#kept.size;
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
    await this.write(disk, source, offset, at);
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
    if (!this.#room.fits(1)) return through();
    const whole = new Uint8Array(this.#kept.sizeOf(block));
    const keep = (): Awaitable<void> => {
      whole.set(bytes, inner);
      return this.#insertOr(block, 1, whole, () => this.#writeBack.soil(block), through);
    };
    const done = readPieces(disk, whole, start);
    return isPromise(done) ? done.then(keep) : keep();
  }

  /** Keeps blocks as they are below, if there is room for them. */
  adopt(block: number, count: number, bytes: Uint8Array): Awaitable<void> {
    return this.#insertOr(block, count, bytes, nothing, nothing);
  }

  /** Inserts blocks and says so to `kept`, or does `otherwise` when there is no room for them. */
  #insertOr(block: number, count: number, bytes: Uint8Array, kept: () => void, otherwise: () => Awaitable<void>): Awaitable<void> {
    if (!this.#room.fits(count)) return otherwise();
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
  writeThrough(disk: Disk, source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
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
      if (value === MISSING) done = this.#adoptWhole(block, next, source.subarray(at, stop), block === first ? inner : 0);
      else done = this.#refresh(block, next, value, block === first ? inner : 0, source.subarray(at, stop));
      if (isPromise(done)) {
        later ??= [];
        later.push(done);
      }
    }
    return later === undefined ? undefined : together(later);
  }

  /** Keeps the whole ones of missing blocks that were just written below. */
  #adoptWhole(block: number, end: number, bytes: Uint8Array, inner: number): Awaitable<void> {
    const skip = inner > 0 ? this.#kept.blockSize - inner : 0;
    const from = inner > 0 ? block + 1 : block;
    let length = Math.max(0, bytes.length - skip);
    if (this.#kept.start(from) + BigInt(length) !== this.#kept.size) length -= length % this.#kept.blockSize;
    const count = Math.min(end - from, Math.ceil(length / this.#kept.blockSize));
    if (count <= 0 || !this.#room.fits(count)) return undefined;
    return this.adopt(from, count, bytes.subarray(skip, skip + length));
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

  /** Forgets the whole blocks of a range that is wiped below, and wipes the parts of those at its ends. */
  wiped(offset: bigint, length: bigint, zeroes: boolean): Awaitable<void> {
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
}

function nothing(): void {
  // What cannot be kept is below.
}
