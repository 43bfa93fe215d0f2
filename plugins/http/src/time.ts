// The time of the system, and lengths of time as options have them.

import { type Clock, DiskError, type Duration } from "diskwright";

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal?.addEventListener("abort", end, { once: true });
    }),
};

const units: Readonly<Record<string, number>> = { "": 1000, s: 1000, ms: 1, us: 1e-3 };

/** A timer of the system takes no more than this, which is 24 days. */
const LONGEST = 2 ** 31 - 1;

/**
 * Milliseconds of a number of seconds, or of a string with a unit.
 *
 * @throws DiskError EINVAL when it is no length of time
 */
export function toMilliseconds(value: Duration, name: string): number {
  const match = /^\s*(\d+(?:\.\d*)?|\.\d+)(s|ms|us)?$/.exec(String(value));
  const milliseconds = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? ""] as number);
  if (milliseconds <= LONGEST) return milliseconds;
  throw new DiskError(
    "EINVAL",
    `${name}: ${JSON.stringify(value)}: expected seconds, or a number with a unit: 2, "1.5", "40ms"; at most 24 days`,
  );
}
