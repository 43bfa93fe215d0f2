// Whether what may wait is done at once: as long as it did not wait the last times.

/** Milliseconds after which a call did not just copy: it has waited for storage, or for a processor that others have. */
const LONG = 5;
/** Milliseconds within which a second long call means that it is the storage: it goes on being slow, while a processor is ours again. */
const AGAIN = 100;
/** Milliseconds of threads after calls that waited; twice as many each further time. */
const SHORTEST_PAUSE = 1_000;
const LONGEST_PAUSE = 16_000;

/**
 * Keeps what waits off the event loop, as far as that can be known beforehand: after calls that waited for storage the next ones go to threads, for a
 * second at first and for longer each time that the next trial waits again. So waiting takes up a small part of the time, however slow the storage is.
 */
export class Pace {
  readonly #now: () => number;
  #pause = SHORTEST_PAUSE;
  #until = -Infinity;
  /** When the last long call ended. */
  #long = -Infinity;

  /** @param now - milliseconds since some moment in the past */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** When a call that is made at once starts; `undefined`: let a thread make it. */
  start(): number | undefined {
    const now = this.#now();
    return now < this.#until ? undefined : now;
  }

  /** A call that started then is over. */
  end(start: number): void {
    const now = this.#now();
    if (now - start <= LONG) return;
    const again = start - this.#long < AGAIN;
    this.#long = now;
    if (!again) return;
    // Soon after the last pause: the storage is as slow as it was.
    this.#pause = start - this.#until < this.#pause ? Math.min(2 * this.#pause, LONGEST_PAUSE) : SHORTEST_PAUSE;
    this.#until = now + this.#pause;
  }
}
