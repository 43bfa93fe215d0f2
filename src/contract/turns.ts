// So many at a time: the others wait for their turn, or until they do not want it any more.

import type { Awaitable } from "./awaitable.ts";

/**
 * Hands out a number of turns, to those first who have waited longest.
 *
 * @example Four requests at a time
 * ```ts
 * const turns = new Turns(4);
 * await turns.run(() => myRequest(mySignal), mySignal);
 * ```
 */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param number - how many there are; Infinity: nobody waits */
  constructor(number: number) {
    this.#free = number;
  }

  /**
   * Does something when it is its turn; the turn lasts until what it answers with has settled.
   *
   * @throws the signal's reason when that is aborted before the turn comes, and what the action throws
   */
  async run<T>(action: () => Awaitable<T>, signal?: AbortSignal): Promise<T> {
    const give = await this.take(signal);
    try {
      return await action();
    } finally {
      give();
    }
  }

  /**
   * Waits for a turn.
   *
   * @returns to be called once, when it is over
   * @throws the signal's reason when that is aborted first
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    return () => this.#give();
  }

  #give(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free += 1;
    else {
      this.#waiting.delete(next);
      next();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(next);
        reject(signal?.reason);
      };
      this.#waiting.add(next);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }
}
