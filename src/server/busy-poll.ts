// Keeps the event loop awake for a moment after traffic, because waking a sleeping one takes longer than serving a request.

/** Looks for work for a bounded time after each {@link BusyPoll.touch}. */
export class BusyPoll {
  readonly #milliseconds: number;
  #until = 0;
  #running = false;
  readonly #turn = (): void => {
    this.#running = performance.now() < this.#until;
    if (this.#running) setImmediate(this.#turn);
  };

  /** @param microseconds - how long to stay awake; 0: not at all */
  constructor(microseconds: number) {
    this.#milliseconds = microseconds / 1000;
  }

  /** There was traffic. */
  touch(): void {
    if (this.#milliseconds === 0) return;
    this.#until = performance.now() + this.#milliseconds;
    if (this.#running) return;
    this.#running = true;
    setImmediate(this.#turn);
  }
}
