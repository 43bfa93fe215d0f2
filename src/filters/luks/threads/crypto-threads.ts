// The threads that encrypt and decrypt for all disks of the process.

import { CryptoThread, SCRIPT, type SharedKey, type ThreadKeys, type Work } from "./crypto-thread.ts";

/** Threads that are started as there is work for them, and end when nobody is left who might have some. One that failed is not replaced. */
export class CryptoThreads {
  readonly #script: string;
  readonly #threads: CryptoThread[] = [];
  #users = 0;
  #lastId = 0;
  #none = false;

  /** @param script - what a thread runs */
  constructor(script: string = SCRIPT) {
    this.#script = script;
  }

  /** How many there are. */
  get size(): number {
    return this.#threads.length;
  }

  /** Hands in the key of a disk. The threads stay until all who did so have left. */
  join(key: SharedKey): ThreadKeys {
    this.#users += 1;
    this.#lastId += 1;
    return { id: this.#lastId, key };
  }

  /** Forgets a key, with which no work is under way any more. */
  async leave({ id }: ThreadKeys): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) for (const thread of this.#threads) thread.forget(id);
    else await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }

  /**
   * Begins a work where a thread is free for it.
   *
   * @param most - threads that may be used
   */
  begin(work: Work, most: number): Promise<void> | undefined {
    let freest: CryptoThread | undefined;
    for (const thread of this.#threads.slice(0, most)) if (thread.free > (freest?.free ?? 0)) freest = thread;
    if (freest !== undefined) return freest.begin(work);
    this.#startAnother(most);
    return undefined;
  }

  /** Settles when the threads that have been started take work. */
  async started(): Promise<void> {
    await Promise.all(this.#threads.map(({ started }) => started));
  }

  #startAnother(most: number): void {
    if (this.#none || this.#threads.length >= most || this.#threads.at(-1)?.starting) return;
    try {
      this.#threads.push(new CryptoThread(this.#script));
    } catch {
      // The process may not start threads, or has no memory to share with them: it goes on without.
      this.#none = true;
    }
  }
}

/** Those of this process: it has no more processors for several disks than for one. */
export const cryptoThreads: CryptoThreads = new CryptoThreads();
