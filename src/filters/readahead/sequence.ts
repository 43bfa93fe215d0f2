// Whether a client reads in sequence, and what it will want next.

/** The first prefetch of a sequence is twice as long as this; each one after it is twice as long as the one before. */
const SHORTEST = 64 * 1024;

/** A range of the disk. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** Watches the reads of one client. */
export class Sequence {
  readonly #size: bigint;
  readonly #longest: number;
  #window = SHORTEST;
  /** Where the last read began and ended, and up to where has been prefetched. */
  #start = -1n;
  #end = -1n;
  #until = 0n;

  /** @param longest - bytes to prefetch beyond what is read */
  constructor(size: bigint, longest: number) {
    this.#size = size;
    this.#longest = longest;
  }

  /**
   * Takes note of a read.
   *
   * @returns what to prefetch; `undefined` when nothing, `"elsewhere"` when the sequence, if there was one, has ended
   */
  next(offset: bigint, length: number): Range | "elsewhere" | undefined {
    const end = offset + BigInt(length);
    // Requests that are under way at the same time may overtake each other a little.
    const goesOn = this.#start >= 0n && offset >= this.#start && offset <= this.#reached;
    this.#start = offset;
    this.#end = end > this.#end || !goesOn ? end : this.#end;
    if (!goesOn) {
      this.#window = SHORTEST;
      this.#until = 0n;
      return "elsewhere";
    }
    this.#window = Math.min(this.#window * 2, this.#longest);
    const start = this.#reached;
    const wanted = this.#end + BigInt(this.#window);
    const stop = wanted < this.#size ? wanted : this.#size;
    // Long prefetches now and then rather than a short one with each read.
    if (stop - start < BigInt(this.#window / 2) && !(stop === this.#size && start < stop)) return undefined;
    this.#until = stop;
    return { start, end: stop };
  }
  /** Up to where everything has been read, or will be soon. */
  get #reached(): bigint {
    if (this.#until > this.#end) return this.#until;
    return this.#end;
  }
}
