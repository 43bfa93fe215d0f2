// Requests that are too long for the server, in pieces.

/** Pieces under way at a time. */
const PARALLEL = 16;

/**
 * Calls `step` for each piece of a range, several at a time. Once one fails no more are begun; what has been begun is waited for, so that
 * nobody works on the caller's buffer afterwards, and then the first failure is thrown.
 */
export function inPieces(
  offset: bigint,
  length: bigint,
  maximum: bigint,
  step: (offset: bigint, length: bigint) => Promise<void>,
): Promise<void> {
  if (length <= maximum) return step(offset, length);
  const end = offset + length;
  let at = offset;
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    while (at < end && failure === undefined) {
      const start = at;
      at += end - at < maximum ? end - at : maximum;
      try {
        await step(start, at - start);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  return Promise.all(Array.from({ length: PARALLEL }, work)).then(() => {
    if (failure !== undefined) throw failure.error;
  });
}
