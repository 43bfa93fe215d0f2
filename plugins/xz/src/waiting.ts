// Waiting: for one's turn, and no longer than somebody wants the outcome.

/** Lets so many work at a time; the others wait in line. */
export class Turns {
  #left: number;
  readonly #line: (() => void)[] = [];

  constructor(count: number) {
    this.#left = count;
  }

  /** Whether a turn could be had at once. */
  get free(): boolean {
    return this.#left > 0;
  }

  /** Waits for a turn; the function that it answers gives it back. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#left > 0) {
      this.#left -= 1;
    } else {
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          signal.removeEventListener("abort", leave);
          resolve();
        };
        const leave = (): void => {
          this.#line.splice(this.#line.indexOf(next), 1);
          reject(signal.reason);
        };
        signal.addEventListener("abort", leave, { once: true });
        this.#line.push(next);
      });
    }
    return () => {
      const next = this.#line.shift();
      if (next === undefined) this.#left += 1;
      else next();
    };
  }
}

/** Who is to hear that a signal is aborted. Very many may wait at a time, and one listener for all of them costs less than one for each. */
const hearers: WeakMap<AbortSignal, Set<() => void>> = new WeakMap();

function hear(signal: AbortSignal): Set<() => void> {
  const known = hearers.get(signal);
  if (known !== undefined) return known;
  const calls = new Set<() => void>();
  hearers.set(signal, calls);
  const tell = (): void => {
    for (const call of calls) call();
  };
  signal.addEventListener("abort", tell, { once: true });
  return calls;
}

/** The same promise, but rejected as soon as the signal is aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    signal.throwIfAborted();
    const calls = hear(signal);
    const abort = (): void => reject(signal.reason);
    calls.add(abort);
    promise.then(resolve, reject).finally(() => calls.delete(abort));
  });
}
