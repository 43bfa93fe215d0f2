// Working through a range in pieces: several at once where the disk answers later, in a row where it answers at once.

import { type Awaitable, isPromise } from "../../contract/awaitable.ts";

/** So many pieces are under way at the same time. */
const WINDOW = 16;
/** After so many pieces others get their turn. */
const TURN = 256;

/**
 * Calls `step` for the pieces of a range. After one that fails none is begun; it fails once those under way have settled.
 *
 * @param most - bytes of a piece
 * @param signal - ends the work between two pieces
 */
export function inPieces(
  start: bigint,
  end: bigint,
  most: bigint,
  signal: AbortSignal,
  step: (at: bigint, length: bigint) => Awaitable<void>,
): Awaitable<void> {
  let at = start;
  const next = (): Awaitable<void> => {
    const from = at;
    at = end - at > most ? at + most : end;
    return step(from, at - from);
  };
  for (let count = 0; at < end; count += 1) {
    const done = count === TURN ? new Promise<void>((resolve) => setImmediate(resolve)) : next();
    if (isPromise(done)) return at < end ? several(done) : done;
  }
  return undefined;

  async function several(first: PromiseLike<void>): Promise<void> {
    const running = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    const watch = (done: PromiseLike<void>): void => {
      const settled = Promise.resolve(done)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(settled));
      running.add(settled);
    };
    watch(first);
    for (let count = 1; at < end && failure === undefined; count += 1) {
      if (running.size >= WINDOW) await Promise.race(running);
      else if (count % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      if (failure !== undefined) break;
      try {
        signal.throwIfAborted();
        const done = next();
        if (isPromise(done)) watch(done);
      } catch (error) {
        failure ??= { error };
      }
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure.error;
  }
}
