// Waiting that ends when the client goes, although what is waited for cannot be ended.

/** Lets all who wait through it go when a signal is aborted. One listener for all, as there may be very many waits. */
export class Abortable {
  readonly signal: AbortSignal;
  readonly #rejects: Set<(reason: unknown) => void> = new Set();

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener(
      "abort",
      () => {
        for (const reject of this.#rejects) reject(signal.reason);
        this.#rejects.clear();
      },
      { once: true },
    );
  }

  /** The same answer, or the signal's reason if that comes first. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.signal.throwIfAborted();
      this.#rejects.add(reject);
      const forget = (): void => void this.#rejects.delete(reject);
      answer.then(
        (value) => {
          forget();
          resolve(value);
        },
        (error: unknown) => {
          forget();
          reject(error);
        },
      );
    });
  }
}
