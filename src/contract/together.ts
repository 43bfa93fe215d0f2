// Several answers as one, none of which is left behind.

/** Settles once all have settled, as the buffers that they work on are not free before that; rejects with the error of the first that failed. */
export async function together(answers: readonly PromiseLike<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(answers)) if (result.status === "rejected") throw result.reason;
}
