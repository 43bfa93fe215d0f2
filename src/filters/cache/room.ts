// Room in the cache: who brings more blocks than it is to keep has the oldest written back and forgotten first.

import type { RangeLocks } from "../../common/range-locks.ts";
import type { Disk } from "../../contract/disk.ts";
import type { Kept } from "./kept.ts";
import type { WriteBack } from "./write-back.ts";

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

/** How many blocks there are, and may be. */
export class Room {
  readonly #kept: Kept;
  readonly #writeBack: WriteBack;
  readonly #locks: RangeLocks;
  readonly #limits: CacheLimits;
  #relieving: Promise<void> | undefined;

  constructor(kept: Kept, writeBack: WriteBack, locks: RangeLocks, limits: CacheLimits) {
    this.#kept = kept;
    this.#writeBack = writeBack;
    this.#locks = locks;
    this.#limits = limits;
  }

  /** So many are left when the oldest have gone. */
  get low(): number {
    return this.#limits.low;
  }

  /** Whether so many more blocks would be too many. */
  isCrowded(more: number): boolean {
    return this.#kept.count + more > this.#limits.high;
  }

  /** Whether so many more would be too many, kept at all or not below yet. */
  isCrowdedByWrites(more: number): boolean {
    return this.isCrowded(more) || this.#writeBack.dirty + more > this.#limits.dirty;
  }

  /** Whether so many more can be kept at all. */
  fits(more: number): boolean {
    return this.#kept.count + more <= this.#limits.most;
  }

  /** Makes room for so many blocks, one at a time; who cannot write makes what room is to be had without. */
  async relieve(disk: Disk, more: number): Promise<void> {
    while (this.#relieving !== undefined) await this.#relieving.catch(() => undefined);
    if (!this.isCrowdedByWrites(more)) return;
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
    const goal = this.isCrowded(more) && more <= high ? Math.min(low, high - more) : Number.POSITIVE_INFINITY;
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
