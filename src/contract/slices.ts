// Working through a long range with one buffer of bounded size.

import { type Awaitable, isPromise } from "./awaitable.ts";

const SLICE = 1024n * 1024n;
/** After so many bytes without a wait, others get their turn. */
const TURN = 64n * SLICE;

/**
 * Calls `step` with a zeroed buffer for each slice of the range, in order. Stays synchronous while the steps do, up to 64 MiB.
 *
 * @param checkOpen - called before each slice; throws to end the work
 */
export function slices(
  offset: bigint,
  length: bigint,
  step: (buffer: Uint8Array, offset: bigint) => Awaitable<void>,
  checkOpen: (operation: string) => void,
): Awaitable<void> {
  const buffer = new Uint8Array(Number(length < SLICE ? length : SLICE));
  const end = offset + length;
  const next = (at: bigint): Awaitable<void> => {
    const left = end - at;
    return step(left < SLICE ? buffer.subarray(0, Number(left)) : buffer, at);
  };
  let at = offset;
  const firstTurn = at + TURN;
  for (; at < end && at < firstTurn; at += SLICE) {
    const done = next(at);
    if (isPromise(done)) return rest(at, done);
  }
  return at < end ? rest(at, undefined) : undefined;

  async function rest(start: bigint, first: Awaitable<void>): Promise<void> {
    let from = start;
    if (first !== undefined) {
      await first;
      from += SLICE;
    }
    for (let sinceTurn = TURN; from < end; from += SLICE, sinceTurn += SLICE) {
      if (sinceTurn >= TURN) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        sinceTurn = 0n;
      }
      checkOpen("go on");
      await next(from);
    }
  }
}
