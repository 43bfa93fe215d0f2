// Ranges of objects that are being deleted: who wants to change one of them waits.

interface Held {
  readonly first: number;
  readonly last: number;
  readonly free: Promise<void>;
}

/** Locks on ranges of objects. */
export class Locks {
  readonly #held: Set<Held> = new Set();

  /** What to wait for before an object of the range is changed; undefined when nothing is in the way. Ask again afterwards. */
  blocking(first: number, last: number): Promise<void> | undefined {
    for (const held of this.#held) if (held.first <= last && first <= held.last) return held.free;
    return undefined;
  }

  /** Holds a range, which must be free, until the function that it answers is called. */
  hold(first: number, last: number): () => void {
    let free = (): void => undefined;
    const held: Held = {
      first,
      last,
      free: new Promise((resolve) => {
        free = resolve;
      }),
    };
    this.#held.add(held);
    return () => {
      this.#held.delete(held);
      free();
    };
  }
}
