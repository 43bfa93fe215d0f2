// Listening to a signal that may outlive us.

/** Calls `act` with the reason when the signal is aborted. What it gives back ends the listening: signals may be shared and live for long. */
export function whenAborted(signal: AbortSignal | undefined, act: (reason: unknown) => void): () => void {
  const onAbort = (): void => act(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  return () => signal?.removeEventListener("abort", onAbort);
}
