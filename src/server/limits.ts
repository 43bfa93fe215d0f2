// The bounds on what clients can make a server do, checked and completed.

import { DEFAULT_MAX_PAYLOAD } from "../protocol/constants.ts";
import type { Limits } from "./options.ts";

const MiB = 1024 * 1024;

const defaults: Limits = {
  handshakeTimeout: 30_000,
  options: 256,
  optionSize: 65_536,
  connections: 1024,
  bytesInFlight: 64 * MiB,
  requestsInFlight: 1024,
  payload: DEFAULT_MAX_PAYLOAD,
  read: 64 * MiB,
  drain: 128 * MiB,
};

/** The least and the most that each may be. */
const bounds: Readonly<Record<keyof Limits, readonly [number, number]>> = {
  // The longest time that a timer of Node can measure.
  handshakeTimeout: [1, 2 ** 31 - 1],
  options: [1, 2 ** 31],
  optionSize: [8, 16 * MiB],
  connections: [1, Infinity],
  bytesInFlight: [1, Infinity],
  requestsInFlight: [1, Infinity],
  payload: [65_536, 1024 * MiB],
  read: [65_536, 1024 * MiB],
  drain: [65_536, 4 * 1024 * MiB],
};

/** Fills in what was left out. Throws a RangeError that names the limit, its value and what is allowed. */
export function completeLimits(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    const range = bounds[name as keyof Limits];
    if (range === undefined) throw new RangeError(`limits.${name} is not a limit: there are ${Object.keys(bounds).join(", ")}`);
    if (value === undefined) continue;
    const [least, most] = range;
    const infinite = most === Infinity || name === "handshakeTimeout";
    if (value === Infinity && infinite) continue;
    if (!Number.isInteger(value) || value < least || value > most) {
      const upTo = most === Infinity ? "" : ` to ${most}`;
      throw new RangeError(
        `limits.${name} ${String(value)}: expected a whole number from ${least}${upTo}${infinite ? ", or Infinity" : ""}`,
      );
    }
  }
  const limits: { -readonly [K in keyof Limits]: Limits[K] } = { ...defaults };
  for (const name of Object.keys(bounds) as (keyof Limits)[]) if (given[name] !== undefined) limits[name] = given[name];
  return limits;
}
