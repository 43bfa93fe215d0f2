// Working through a long range with one buffer of bounded size.

import { type Awaitable, isPromise } from "./awaitable.ts";
import type { BlockSize } from "./connection.ts";

/** Bytes of a slice where the disk takes so many at once. */
const USUAL_SLICE = 1024 * 1024;
/** After so many bytes without a wait, others get their turn. */
const TURN = 64n * 1024n * 1024n;

/**
 * Calls `step` with a zeroed buffer for each slice of the range, in order. Stays synchronous while the steps do, up to 64 MiB.
 *
 * @param blockSize - of the disk: no slice is longer than its maximum
 * @param checkOpen - called between slices; throws to end the work
 */
export function slices(
  offset: bigint,
  length: bigint,
  blockSize: BlockSize | undefined,
  step: (buffer: Uint8Array, offset: bigint) => Awaitable<void>,
  checkOpen: (operation: string) => void,
): Awaitable<void> {
  const slice = BigInt(Math.min(USUAL_SLICE, blockSize?.maximum ?? USUAL_SLICE));
  const buffer = new Uint8Array(Number(length < slice ? length : slice));
  const end = offset + length;
  const next = (at: bigint): Awaitable<void> => {
    const left = end - at;
    return step(left < slice ? buffer.subarray(0, Number(left)) : buffer, at);
  };
  let at = offset;
  const firstTurn = at + TURN;
  for (; at < end && at < firstTurn; at += slice) {
    const done = next(at);
    if (isPromise(done)) return rest(at, done);
  }
  return at < end ? rest(at, undefined) : undefined;

  async function rest(start: bigint, first: Awaitable<void>): Promise<void> {
    let from = start;
    if (first !== undefined) {
      await first;
      from += slice;
    }
    for (let sinceTurn = TURN; from < end; from += slice, sinceTurn += slice) {
      if (sinceTurn >= TURN) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        sinceTurn = 0n;
      }
      checkOpen("go on with a long range");
      await next(from);
    }
  }
}
