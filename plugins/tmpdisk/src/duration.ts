// Lengths of time as the core's options have them.

import { DiskError, type Duration } from "diskwright";

const units: Readonly<Record<string, number>> = { "": 1000, s: 1000, ms: 1, us: 1e-3, μs: 1e-3, µs: 1e-3, ns: 1e-6 };

/**
 * Milliseconds of a number of seconds, or of a text with a unit; 0 is no limit, and becomes Infinity.
 *
 * @throws DiskError EINVAL when it is no length of time
 */
export function toMilliseconds(value: Duration, name: string): number {
  const match = /^\s*(\d+(?:\.\d*)?|\.\d+)(s|ms|[uμµ]s|ns)?$/.exec(String(value));
  const milliseconds = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? ""] as number);
  if (!Number.isFinite(milliseconds))
    throw new DiskError(
      "EINVAL",
      `tmpdisk: ${name} ${String(value)}: expected seconds, or a number with a unit: 2, "1.5", "40ms"; 0 is no limit`,
    );
  return milliseconds === 0 ? Infinity : milliseconds;
}
