// Who works on which blocks: requests on the same blocks wait for each other, others do not.

/** Blocks from `first` to `last`, held by one who changes them or by any number of those who only look. */
interface Held {
  readonly first: number;
  readonly last: number;
  readonly exclusive: boolean;
}

interface Waiting extends Held {
  readonly resolve: (held: Held) => void;
}

/**
 * Locks on ranges of blocks. Those who answer at once need none: they ask {@link RangeLocks.isFree} and are done before anyone else is heard.
 * Those who turn out to answer later say so with {@link RangeLocks.during}, still in the same turn; those who have to wait do so with
 * {@link RangeLocks.run}.
 */
export class RangeLocks {
  readonly #held: Set<Held> = new Set();
  #waiting: Waiting[] = [];

  /** Whether nobody holds any of these blocks in a way that is in the way. */
  isFree(first: number, last: number, exclusive: boolean): boolean {
    if (this.#held.size === 0) return true;
    for (const held of this.#held) if (conflict(held, first, last, exclusive)) return false;
    return true;
  }

  /** Whether nobody holds, or waits for, any of these blocks in a way that is in the way: who begins at once overtakes nobody. */
  isNext(first: number, last: number, exclusive: boolean): boolean {
    return this.isFree(first, last, exclusive) && !this.#waiting.some((other) => conflict(other, first, last, exclusive));
  }

  /** Holds the blocks until `answer` is there; they were free when the work on it began, in this same turn of the event loop. */
  during<T>(first: number, last: number, exclusive: boolean, answer: PromiseLike<T>): Promise<T> {
    const held: Held = { first, last, exclusive };
    this.#held.add(held);
    return this.#until(held, answer);
  }

  /** Waits for its turn, which comes in the order of asking, and holds the blocks while `work` is done. */
  async run<T>(first: number, last: number, exclusive: boolean, work: () => T | PromiseLike<T>): Promise<T> {
    const held = await this.#turn(first, last, exclusive);
    try {
      return await work();
    } finally {
      this.#release(held);
    }
  }

  async #until<T>(held: Held, answer: PromiseLike<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      this.#release(held);
    }
  }

  #turn(first: number, last: number, exclusive: boolean): Held | Promise<Held> {
    if (!this.isNext(first, last, exclusive)) return new Promise((resolve) => this.#waiting.push({ first, last, exclusive, resolve }));
    const held: Held = { first, last, exclusive };
    this.#held.add(held);
    return held;
  }

  #release(held: Held): void {
    this.#held.delete(held);
    if (this.#waiting.length === 0) return;
    const still: Waiting[] = [];
    for (const next of this.#waiting) {
      const { first, last, exclusive } = next;
      // Nobody overtakes one that asked before and wants the same blocks.
      if (!this.isFree(first, last, exclusive) || still.some((other) => conflict(other, first, last, exclusive))) {
        still.push(next);
        continue;
      }
      this.#held.add(next);
      next.resolve(next);
    }
    this.#waiting = still;
  }
}

function conflict(held: Held, first: number, last: number, exclusive: boolean): boolean {
  return (exclusive || held.exclusive) && held.first <= last && first <= held.last;
}
