// The calls of one disk that are under way: closing waits for them, and none begins once it has been asked for.

import { type Awaitable, isPromise } from "./awaitable.ts";
import { DiskError } from "./error.ts";

/** Counts the calls that answer later; one that answers at once costs nothing. */
export class UnderWay {
  #count = 0;
  #closed = false;
  #idle: (() => void) | undefined;

  /** Throws ESHUTDOWN once the disk is closed or closing. */
  readonly checkOpen = (operation: string): void => {
    if (this.#closed) throw new DiskError("ESHUTDOWN", `cannot ${operation}: the disk is closed`);
  };

  /** The same answer, counted until it is there. */
  track<T>(answer: Awaitable<T>): Awaitable<T> {
    if (!isPromise(answer)) return answer;
    this.#count += 1;
    // What `then` gives is passed on, rather than `answer` itself, so that a failure that nobody looks at is still reported as unhandled.
    return answer.then(this.#succeeded as (value: T) => T, this.#failed);
  }

  /** Refuses further calls; settles when none is under way. At once, without a promise, when none was. */
  close(): Awaitable<void> {
    this.#closed = true;
    if (this.#count === 0) return undefined;
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  readonly #succeeded = (value: unknown): unknown => {
    this.#end();
    return value;
  };

  readonly #failed = (error: unknown): never => {
    this.#end();
    throw error;
  };

  #end(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#idle?.();
  }
}
