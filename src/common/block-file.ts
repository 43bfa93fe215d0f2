// A temporary file divided into slots of one size, each of which holds a block of some disk.

import type { Awaitable } from "../contract/awaitable.ts";
import { DiskError } from "../contract/error.ts";
import { FIRST_SLOT } from "./block-map.ts";
import type { TemporaryFile } from "./temporary-file.ts";

/** Slots that follow each other. */
export interface Slots {
  readonly first: number;
  readonly count: number;
}

/** The numbers that a {@link BlockMap} can hold. */
const SLOTS = 2 ** 32;

/**
 * Gives out slots of a temporary file, numbered as a `BlockMap` wants them. As blocks lie where there is room rather than where they are on the
 * disk, a disk of any size has place on any file system, and the file does not grow while slots are free.
 */
export class BlockFile {
  /** Bytes of a slot. */
  readonly blockSize: number;
  readonly #file: TemporaryFile;
  /** The next to be taken is the last. */
  #free: number[] = [];
  #next: number = FIRST_SLOT;

  constructor(file: TemporaryFile, blockSize: number) {
    this.#file = file;
    this.blockSize = blockSize;
  }

  /** Takes up to `count` slots that follow each other: at least one. What they hold is undefined. */
  allocate(count: number): Slots {
    const free = this.#free;
    const first = free.pop();
    if (first !== undefined) {
      let taken = 1;
      while (taken < count && free.at(-1) === first + taken) {
        free.pop();
        taken += 1;
      }
      return { first, count: taken };
    }
    const taken = Math.min(count, SLOTS - this.#next);
    if (taken <= 0) throw new DiskError("ENOSPC", `a temporary file holds no more than ${SLOTS} blocks: use larger ones`);
    const slots = { first: this.#next, count: taken };
    this.#next += taken;
    return slots;
  }

  /** Takes slots back that nobody reads any more, to give them out again. */
  free(slots: readonly number[]): void {
    // The lowest come last, so that runs are given out as runs.
    for (const slot of slots.toSorted((a, b) => b - a)) this.#free.push(slot);
  }

  /** Takes slots back, and gives their room back to the file system first where that can be. */
  async discard(slots: readonly number[]): Promise<void> {
    const sorted = slots.toSorted((a, b) => a - b);
    for (let i = 0; i < sorted.length; ) {
      const start = sorted[i] as number;
      let end = i + 1;
      while (end < sorted.length && sorted[end] === start + end - i) end += 1;
      await this.#file.discard(this.#position(start), (end - i) * this.blockSize);
      this.free(sorted.slice(i, end));
      i = end;
    }
  }

  /** Reads from `inner` bytes into a slot on; it may go on through slots that follow it. */
  read(target: Uint8Array, slot: number, inner: number): Awaitable<void> {
    return this.#file.read(target, this.#position(slot) + inner);
  }

  /** Writes from `inner` bytes into a slot on; it may go on through slots that follow it. */
  write(source: Uint8Array, slot: number, inner: number): Awaitable<void> {
    return this.#file.write(source, this.#position(slot) + inner);
  }

  /** Closes the file: what it holds is gone. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #position(slot: number): number {
    return (slot - FIRST_SLOT) * this.blockSize;
  }
}
