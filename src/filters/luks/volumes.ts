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
  /** Of the client with whose disk it is done. */
  readonly signal: AbortSignal;
}

/** Unlocks each volume once. They are told apart by their headers: who has the same header has the same keys. */
export class Volumes {
  readonly #unlock: Unlock;
  readonly #volumes = new Map<string, Unlocking>();

  constructor(unlock: Unlock) {
    this.#unlock = unlock;
  }

  /** The volume on a client's disk; fails with the signal's reason when the client goes. */
  async open(disk: Disk, signal: AbortSignal): Promise<Volume> {
    const header = await readHeader(disk);
    signal.throwIfAborted();
    const name = createHash("sha256").update(header.bytes).digest("base64");
    for (;;) {
      const unlocking = this.#volumes.get(name) ?? this.#begin(name, disk, header, signal);
      try {
        return await orAborted(unlocking.volume, signal);
      } catch (error) {
        // When the client with whose disk it was done has gone, the next one goes on with its own.
        if (signal.aborted || !unlocking.signal.aborted) throw error;
      }
    }
  }

  /** Forgets all keys. */
  async wipe(): Promise<void> {
    const volumes = [...this.#volumes.values()];
    this.#volumes.clear();
    await Promise.allSettled(volumes.map(async ({ volume }) => (await volume).wipe()));
  }

  #begin(name: string, disk: Disk, header: LuksHeader, signal: AbortSignal): Unlocking {
    const unlocking: Unlocking = { volume: orAborted(this.#unlock(disk, header, signal), signal), signal };
    this.#volumes.set(name, unlocking);
    unlocking.volume.then(
      () => {
        if (this.#volumes.size > KEPT) this.#drop();
      },
      // Whoever waits for it hears of this.
      () => {
        if (this.#volumes.get(name) === unlocking) this.#volumes.delete(name);
      },
    );
    return unlocking;
  }

  /** The oldest goes. It may still have clients, and nobody will tell when the last of them closes. */
  #drop(): void {
    const [[name, { volume }]] = this.#volumes as unknown as [[string, Unlocking]];
    this.#volumes.delete(name);
    volume.then(
      (unlocked) => unlocked.leaveThreads(),
      () => undefined,
    );
  }
}

/** The same answer, or the signal's reason when that is aborted first. */
async function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([answer, stopped]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}
