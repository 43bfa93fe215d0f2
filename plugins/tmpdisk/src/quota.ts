// How many bytes all disks have together.

import { DiskError } from "diskwright";

/** A disk's part of a quota. */
export interface Share {
  /** The disk came out with another size. */
  resize(bytes: bigint): void;
  /** The disk is gone. */
  release(): void;
}

/** Hands out bytes, up to a limit. */
export class Quota {
  readonly #limit: bigint | undefined;
  readonly #freed: () => void;
  #used = 0n;
  #disks = 0;

  /** @param freed - called when there is more room than before */
  constructor(limit: bigint | undefined, freed: () => void) {
    this.#limit = limit;
    this.#freed = freed;
  }

  /** Whether a disk would find room. */
  hasRoom(bytes: bigint): boolean {
    return this.#limit === undefined || this.#used + bytes <= this.#limit;
  }

  /**
   * Takes room for a disk.
   *
   * @throws DiskError ENOSPC when there is none
   */
  take(bytes: bigint): Share {
    this.#check(bytes, this.#disks);
    this.#used += bytes;
    this.#disks += 1;
    let taken = bytes;
    let released = false;
    return {
      resize: (size) => {
        this.#check(size - taken, this.#disks - 1, size);
        this.#used += size - taken;
        taken = size;
      },
      release: () => {
        if (released) return;
        released = true;
        this.#used -= taken;
        this.#disks -= 1;
        this.#freed();
      },
    };
  }

  #check(more: bigint, others: number, size: bigint = more): void {
    if (this.hasRoom(more)) return;
    const text = `no room for another disk of ${size} bytes: all disks together may have ${this.#limit} (maxTotal), and there are ${others} others`;
    throw new DiskError("ENOSPC", text);
  }
}
