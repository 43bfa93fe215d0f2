// Lets requests through or has them wait, and knows when none is under way.

import { type Awaitable, isPromise } from "../../contract/awaitable.ts";

/** Stops and resumes requests. */
export class Gatekeeper {
  #stopped = false;
  #underWay = 0;
  readonly #waiting = new Set<() => void>();
  #idle: (() => void)[] = [];

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Has requests wait from now on. Settles when those that had begun have been answered. */
  stop(): Promise<void> {
    this.#stopped = true;
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Lets those who wait, and all others, through. */
  resume(): void {
    this.#stopped = false;
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /** Makes a request when it may be made. Spelled out arguments, so that one that need not wait makes no closure. */
  pass<T, A, B, C>(signal: AbortSignal, method: (a: A, b: B, c: C) => Awaitable<T>, a: A, b: B, c: C): Awaitable<T> {
    if (this.#stopped) return this.#later(signal, method, a, b, c);
    const answer = method(a, b, c);
    return isPromise(answer) ? this.#track(answer) : answer;
  }

  async #later<T, A, B, C>(signal: AbortSignal, method: (a: A, b: B, c: C) => Awaitable<T>, a: A, b: B, c: C): Promise<T> {
    // It may have been stopped again by the time this one wakes up.
    while (this.#stopped) await this.#resumed(signal);
    return this.pass(signal, method, a, b, c);
  }

  #resumed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const go = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.add(go);
    });
  }

  async #track<T>(answer: PromiseLike<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await answer;
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const tell of this.#idle.splice(0)) tell();
    }
  }
}
