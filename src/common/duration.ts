// Lengths of time as people type them.

import { DiskError } from "../contract/error.ts";

/** A length of time: a number of seconds, or a string with or without a unit: `2`, `"1.5"`, `"40ms"`, `"20us"`. */
export type Duration = number | string;

const units: Readonly<Record<string, number>> = { "": 1000, s: 1000, ms: 1, us: 1e-3, μs: 1e-3, µs: 1e-3, ns: 1e-6 };

/**
 * Reads a length of time as nbdkit takes it: seconds, or a number with one of the units `s ms us μs ns`.
 *
 * @param value - the length
 * @param name - what it is the length of, for the error's text
 * @returns milliseconds, at least 0
 * @throws DiskError EINVAL when it is no such length
 * @example
 * ```ts
 * parseDuration("40ms", "rdelay"); // 40
 * parseDuration(1.5, "retry-delay"); // 1500
 * ```
 */
export function parseDuration(value: Duration, name: string): number {
  if (typeof value === "number") {
    if (Number.isFinite(value) && value >= 0) return value * 1000;
    throw refuse(value, name);
  }
  const match = typeof value === "string" ? /^\s*\+?(\d+(?:\.\d*)?|\.\d+)(s|ms|[uμµ]s|ns)?$/.exec(value) : null;
  const milliseconds = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? ""] as number);
  if (!Number.isFinite(milliseconds)) throw refuse(value, name);
  return milliseconds;
}

function refuse(value: unknown, name: string): DiskError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new DiskError("EINVAL", `${name} ${shown}: expected seconds, or a number with a unit: 2, "1.5", "40ms", "20us"`);
}
