// The volumes that have been unlocked: deriving a key takes seconds, and a client like nbdcopy comes with several connections at once.

import { createHash } from "node:crypto";
import type { Disk } from "../../contract/disk.ts";
import type { LuksHeader } from "./header.ts";
import { readHeader } from "./read-header.ts";
import type { Volume } from "./volume.ts";

/** How many different volumes are kept: more than one only when the exports below are different disks. */
const KEPT = 32;

/** Finds the keys of a volume; stops when the signal is aborted. */
export type Unlock = (disk: Disk, header: LuksHeader, signal: AbortSignal) => Promise<Volume>;

interface Unlocking {
  readonly volume: Promise<Volume>;
  readonly controller: AbortController;
  /** Clients that wait for it. */
  waiting: number;
  unlocked: boolean;
}

/** Unlocks each volume once. They are told apart by their headers: who has the same header has the same keys. */
export class Volumes {
  readonly #unlock: Unlock;
  readonly #volumes = new Map<string, Unlocking>();

  constructor(unlock: Unlock) {
    this.#unlock = unlock;
  }

  /** The volume on a disk. Nobody else waits in vain when `signal` is aborted. */
  async open(disk: Disk, signal: AbortSignal): Promise<Volume> {
    const header = await readHeader(disk);
    signal.throwIfAborted();
    const name = createHash("sha256").update(header.bytes).digest("base64");
    const unlocking = this.#volumes.get(name) ?? this.#begin(name, disk, header);
    unlocking.waiting += 1;
    try {
      return await Promise.race([unlocking.volume, aborted(signal)]);
    } finally {
      unlocking.waiting -= 1;
      if (unlocking.waiting === 0 && !unlocking.unlocked) {
        unlocking.controller.abort(signal.reason);
        this.#forget(name, unlocking);
      }
    }
  }

  /** Forgets all keys. */
  wipe(): void {
    for (const { volume, controller } of this.#volumes.values()) {
      controller.abort();
      volume.then(
        (unlocked) => unlocked.wipe(),
        () => undefined,
      );
    }
    this.#volumes.clear();
  }

  #begin(name: string, disk: Disk, header: LuksHeader): Unlocking {
    const controller = new AbortController();
    const volume = this.#unlock(disk, header, controller.signal);
    const unlocking: Unlocking = { volume, controller, waiting: 0, unlocked: false };
    this.#volumes.set(name, unlocking);
    volume.then(
      () => {
        unlocking.unlocked = true;
        for (const [oldest, other] of this.#volumes) if (this.#volumes.size > KEPT && other.unlocked) this.#forget(oldest, other);
      },
      // Whoever waits for it hears of this.
      () => this.#forget(name, unlocking),
    );
    return unlocking;
  }

  #forget(name: string, unlocking: Unlocking): void {
    if (this.#volumes.get(name) === unlocking) this.#volumes.delete(name);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
