// So many at a time: the others wait for their turn.

/** Hands out a number of turns. */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(number: number) {
    this.#free = number;
  }

  /**
   * Waits for a turn, does it, and gives the turn to the next.
   *
   * @throws the signal's reason when that is aborted before it is one's turn
   */
  async run<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    try {
      return await action();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free += 1;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(next);
        reject(signal.reason);
      };
      this.#waiting.add(next);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
