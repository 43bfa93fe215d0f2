// Waiting for what others wait for as well: one of them may give up.

/**
 * The same answer, unless the signal is aborted before it is there: then its reason. What is waited for goes on.
 *
 * @example
 * ```ts
 * await unlessAborted(myLogin, myRequest.signal);
 * ```
 */
export function unlessAborted<T>(answer: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    const forget = (): void => signal.removeEventListener("abort", abort);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    answer.then(
      (value) => {
        forget();
        resolve(value);
      },
      (error: unknown) => {
        forget();
        reject(error);
      },
    );
  });
}
