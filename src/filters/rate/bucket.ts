// A token bucket: so many bits per second, with what was saved up while nobody wanted any.

import type { Awaitable } from "../../contract/awaitable.ts";
import type { Clock } from "../../contract/clock.ts";

/** A request that waits for its bits. */
interface Waiter {
  bits: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** How long to go by the rate that was, in milliseconds: it may change meanwhile. */
const LOOK_AGAIN = 500;

/** Hands out bits, first come, first served. Begins full, as nbdkit's does. */
export class Bucket {
  readonly #clock: Clock;
  readonly #rate: () => number | undefined;
  readonly #burst: number;
  readonly #queue: Waiter[] = [];
  /** More than it holds, until it is looked at for the first time. */
  #level: number = Number.POSITIVE_INFINITY;
  #last: number;
  #sleeping: AbortController | undefined;

  /**
   * @param rate - bits per second now; undefined: as many as anyone likes
   * @param burst - the time in milliseconds for which bits are saved up
   */
  constructor(clock: Clock, rate: () => number | undefined, burst: number) {
    this.#clock = clock;
    this.#rate = rate;
    this.#burst = burst;
    this.#last = clock.now();
  }

  /** Takes bits if they are there, and nobody waits. */
  tryTake(bits: number): boolean {
    if (this.#queue.length > 0) return false;
    const rate = this.#rate();
    if (rate === undefined) return true;
    this.#level = Math.min(this.#level + this.#elapsed() * (rate / 1000), rate * (this.#burst / 1000));
    if (this.#level < bits) return false;
    this.#level -= bits;
    return true;
  }

  /** Takes bits, when they are there; rejects with the signal's reason. */
  take(bits: number, signal: AbortSignal): Awaitable<void> {
    if (!this.tryTake(bits)) return this.#wait(bits, signal);
  }

  #wait(bits: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        // Nobody is left to wait for.
        if (this.#queue.length === 0) this.#sleeping?.abort();
        reject(signal.reason as Error);
      };
      const forget = (): void => signal.removeEventListener("abort", abort);
      const waiter: Waiter = {
        bits,
        resolve: () => {
          forget();
          resolve();
        },
        reject: (error) => {
          forget();
          reject(error as Error);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#queue.push(waiter);
      if (this.#sleeping === undefined) void this.#serve();
    });
  }

  /** Gives the first in line what comes in, until nobody waits. What is larger than the bucket is filled bit by bit. */
  async #serve(): Promise<void> {
    this.#sleeping = new AbortController();
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      let rate: number | undefined;
      try {
        rate = this.#rate();
      } catch (error) {
        this.#queue.shift();
        first.reject(error);
        continue;
      }
      const elapsed = this.#elapsed();
      this.#level += rate === undefined ? 0 : elapsed * (rate / 1000);
      if (rate === undefined || this.#level >= first.bits - ROUNDING) {
        if (rate !== undefined) this.#level = Math.max(0, this.#level - first.bits);
        this.#queue.shift();
        first.resolve();
        continue;
      }
      first.bits -= this.#level;
      this.#level = 0;
      const pause = Math.min((first.bits / rate) * 1000, LOOK_AGAIN);
      await this.#clock.sleep(pause, this.#sleeping.signal).catch(() => undefined);
      if (this.#sleeping.signal.aborted) this.#sleeping = new AbortController();
    }
    this.#sleeping = undefined;
  }

  /** Milliseconds since this was last asked. */
  #elapsed(): number {
    const now = this.#clock.now();
    const elapsed = now - this.#last;
    this.#last = now;
    return elapsed;
  }
}

/** A small part of a bit is not worth another sleep. */
const ROUNDING = 1e-3;
