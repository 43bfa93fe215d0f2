// The places of the shared memory, given to one request after the other.

import { SLOT, SLOTS } from "../host/memory.ts";

export class Slots {
  readonly #free: number[] = Array.from({ length: SLOTS }, (_, i) => i * SLOT);
  readonly #waiting: ((at: number) => void)[] = [];

  /** Has `use` have a place, and takes it back when that is done. */
  async run<T>(use: (at: number) => Promise<T>): Promise<T> {
    const at = this.#free.pop() ?? (await new Promise<number>((resolve) => this.#waiting.push(resolve)));
    try {
      return await use(at);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(at);
      else next(at);
    }
  }
}
