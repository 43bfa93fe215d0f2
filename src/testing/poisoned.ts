// Buffers that bite: catches those who read or write outside of them, leave them unfilled, change what they are to write, or keep them.

import { type Awaitable, andThen, DiskError, type Filter, filter } from "../contract/index.ts";

/** Bytes before and after each buffer that nobody may touch. */
const GUARD = 61;
/** How many buffers that were given back are watched until the disk is closed. */
const WATCHED = 64;

/**
 * A filter that gives the disk below buffers of its own: in the midst of a larger one, full of garbage before a read, overwritten with
 * garbage once the call has been answered, and looked at again when the disk is closed. A disk that heeds the contract does not notice.
 * What the disk lends itself (`views`, `room`) is passed on as it is.
 *
 * @throws (from its disk) DiskError EIO saying what was done to a buffer
 * @example
 * ```ts
 * await using disk = await openDisk(pipe(myPlugin(), poisoned()));
 * ```
 */
export function poisoned(): Filter {
  return (next) =>
    filter("poisoned", ({ read, write, views, room, capabilities }) => {
      const roomLent = new WeakSet<Uint8Array>();
      const watched: Lent[] = [];
      let calls = 0;
      const lend = (length: number): Lent => {
        // Never the same garbage twice in a row, so that it does not look right by chance for long.
        calls = (calls + 1) % 128;
        return new Lent(length, 0x80 | calls, next.name);
      };
      const giveBack = (lent: Lent): void => {
        lent.poison();
        watched.push(lent);
        if (watched.length > WATCHED) watched.shift()?.check("after it had answered");
      };
      const call = (lent: Lent, made: () => Awaitable<void>, then: () => void): Awaitable<void> => {
        const failed = (error: unknown): never => {
          giveBack(lent);
          throw error;
        };
        const succeeded = (): void => {
          lent.checkGuards();
          then();
          giveBack(lent);
        };
        let answer: Awaitable<void>;
        try {
          answer = made();
        } catch (error) {
          return failed(error);
        }
        return answer === undefined ? succeeded() : andThen(answer.then(undefined, failed), succeeded);
      };
      return {
        traits: { trimZeroes: capabilities.trimZeroes },
        read(target, offset) {
          const lent = lend(target.length);
          return call(
            lent,
            () => read(lent.buffer, offset),
            () => target.set(lent.buffer),
          );
        },
        ...(views && { views }),
        ...(room && {
          room(offset: bigint, length: number) {
            const lent = room(offset, length);
            if (lent !== undefined) roomLent.add(lent);
            return lent;
          },
        }),
        ...(capabilities.write && {
          write(source: Uint8Array, offset: bigint, flags) {
            if (roomLent.has(source)) return write(source, offset, flags);
            const lent = lend(source.length);
            lent.buffer.set(source);
            return call(
              lent,
              () => write(lent.buffer, offset, flags),
              () => lent.checkUnchanged(source),
            );
          },
        }),
        async close() {
          // What was begun in these calls and goes on behind their back shows by now.
          await new Promise((resolve) => setImmediate(resolve));
          for (const lent of watched) lent.check("after it had answered");
        },
      };
    })(next);
}

/** A buffer that is lent for one call, with its guards. */
class Lent {
  readonly buffer: Uint8Array;
  readonly #whole: Uint8Array;
  readonly #borrower: string;
  #garbage: number;

  constructor(length: number, garbage: number, borrower: string) {
    this.#garbage = garbage;
    this.#whole = new Uint8Array(GUARD + length + GUARD).fill(garbage);
    this.buffer = this.#whole.subarray(GUARD, GUARD + length);
    this.#borrower = borrower;
  }

  /** Overwrites what was lent: it is not the borrower's any more. */
  poison(): void {
    this.#garbage ^= 0xff;
    this.#whole.fill(this.#garbage);
  }

  checkGuards(): void {
    if (this.#touched(0, GUARD) || this.#touched(GUARD + this.buffer.length, this.#whole.length)) {
      throw this.#wrong("wrote outside of the buffer that it was given (does it use buffer.buffer without byteOffset?)");
    }
  }

  checkUnchanged(source: Uint8Array): void {
    if (Buffer.compare(this.buffer, source) !== 0) throw this.#wrong("changed the buffer that it was to write");
  }

  check(when: string): void {
    if (this.#touched(0, this.#whole.length)) throw this.#wrong(`wrote to a buffer ${when}: it is the caller's again by then`);
  }

  #touched(start: number, end: number): boolean {
    return Buffer.compare(this.#whole.subarray(start, end), new Uint8Array(end - start).fill(this.#garbage)) !== 0;
  }

  #wrong(what: string): DiskError {
    return new DiskError("EIO", `${this.#borrower} ${what}`);
  }
}
