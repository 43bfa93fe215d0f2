// Keeps writes of parts of sectors apart from whatever else is written to the same sectors.

import { type Awaitable, isPromise } from "../../contract/awaitable.ts";

interface Write {
  readonly start: number;
  readonly end: number;
  /** Part of a sector is read, changed and written back: nothing else may be written to it meanwhile. */
  readonly partial: boolean;
  /** Settles, and never fails, when it is over. */
  readonly over: Promise<void>;
}

/**
 * The writes that are under way. A write of whole sectors waits for earlier ones of parts of them, one of parts for all earlier ones to the
 * same sectors. Ranges are numbers of sectors.
 */
export class WriteOrder {
  readonly #underWay = new Set<Write>();
  #partial = 0;

  /** Whether writes of whole sectors need not wait, whatever their range. */
  get free(): boolean {
    return this.#partial === 0;
  }

  /** Runs a write when its turn has come: at once when nothing is in its way. */
  run(start: number, end: number, partial: boolean, write: () => Awaitable<void>): Awaitable<void> {
    const before: Promise<void>[] = [];
    for (const other of this.#underWay) {
      if ((partial || other.partial) && other.start < end && start < other.end) before.push(other.over);
    }
    return this.track(start, end, partial, before.length === 0 ? write() : Promise.all(before).then(write));
  }

  /** Has others wait for a write that has begun. */
  track(start: number, end: number, partial: boolean, done: Awaitable<void>): Awaitable<void> {
    if (!isPromise(done)) return undefined;
    const result = Promise.resolve(done);
    const forget = (): void => {
      this.#underWay.delete(entry);
      if (partial) this.#partial -= 1;
    };
    const entry: Write = { start, end, partial, over: result.then(forget, forget) };
    this.#underWay.add(entry);
    if (partial) this.#partial += 1;
    return result;
  }
}
