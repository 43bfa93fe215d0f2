// Flushing over several connections: a server flushes what it has answered, so a flush has to wait for the answers to the writes before it,
// whichever connection they are on (protocol document, "Ordering of messages and writes").

interface Epoch {
  writes: number;
  closed: boolean;
  readonly done: Promise<void>;
  readonly finish: () => void;
}

/** Tells when the writes that began before a moment have ended. */
export class WriteBarrier {
  #current: Epoch = newEpoch();
  /** Earlier epochs that still have writes under way. */
  readonly #earlier = new Set<Epoch>();

  /** Counts a write in; gives it back when it has ended, however it did. */
  track<T>(write: Promise<T>): Promise<T> {
    const epoch = this.#current;
    epoch.writes += 1;
    const ended = (): void => {
      epoch.writes -= 1;
      if (epoch.writes === 0 && epoch.closed) {
        this.#earlier.delete(epoch);
        epoch.finish();
      }
    };
    write.then(ended, ended);
    return write;
  }

  /** Settles when all writes counted in so far have ended. */
  async pass(): Promise<void> {
    if (this.#current.writes > 0) {
      this.#current.closed = true;
      this.#earlier.add(this.#current);
      this.#current = newEpoch();
    }
    await Promise.all(Array.from(this.#earlier, (epoch) => epoch.done));
  }
}

function newEpoch(): Epoch {
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return { writes: 0, closed: false, done, finish };
}
