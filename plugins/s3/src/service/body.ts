// The body of an answer, into a buffer.

import { BrokenAnswer } from "./errors.ts";

/** Fills `target` with what comes, and fails when that is less or more. */
export async function readWhole(body: AsyncIterable<Uint8Array>, target: Uint8Array, signal: AbortSignal): Promise<void> {
  let done = 0;
  for await (const piece of body) {
    signal.throwIfAborted();
    if (done + piece.length > target.length) throw new BrokenAnswer(`more than the ${target.length} bytes came that were asked for`);
    target.set(piece, done);
    done += piece.length;
  }
  if (done < target.length) throw new BrokenAnswer(`the answer was cut off: ${done} of ${target.length} bytes came`);
}
