// Sizes as people type them.

import { DiskError } from "./error.ts";

/** A number of bytes: `"1G"`, `"512"`, `4096` or `7n`. See {@link parseSize}. */
export type Size = bigint | number | string;

/** The largest disk, and so the largest size: 2^63-1 bytes. */
export const MAX_SIZE: bigint = 2n ** 63n - 1n;

const units: Readonly<Record<string, bigint>> = {
  "": 1n,
  b: 1n,
  s: 512n,
  k: 2n ** 10n,
  m: 2n ** 20n,
  g: 2n ** 30n,
  t: 2n ** 40n,
  p: 2n ** 50n,
  e: 2n ** 60n,
};

/**
 * Reads a size in bytes. A string is a decimal number with an optional suffix as nbdkit takes it, in either case: `b` bytes, `s`
 * sectors of 512 bytes, `k m g t p e` powers of 1024.
 *
 * @param value - the size
 * @param name - what it is the size of, for the error's text
 * @returns bytes, 0 to 2^63-1
 * @throws DiskError EINVAL when it is no such size
 * @example
 * ```ts
 * parseSize("1M"); // 1048576n
 * parseSize("3s"); // 1536n
 * ```
 */
export function parseSize(value: Size, name = "size"): bigint {
  const bytes = toBigInt(value, name);
  if (bytes < 0n) throw refuse(value, name, "it is negative");
  if (bytes > MAX_SIZE) throw refuse(value, name, "the largest is 2^63-1 bytes, just under 8E");
  return bytes;
}

function toBigInt(value: Size, name: string): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return BigInt(value);
    throw refuse(value, name, "a number must be a whole one below 2^53: use a bigint or a string");
  }
  const match = typeof value === "string" ? /^\s*([+-]?\d+)([bskmgtpe]?)$/i.exec(value) : null;
  if (match === null) throw refuse(value, name, 'expected bytes, or a number with a suffix: "4096", "64k", "1G", "3s" (sectors)');
  return scaled(BigInt(match[1] as string), match[2] as string);
}

/** A number with a suffix as sizes have it: none, or one of `b s k m g t p e` in either case. */
export function scaled(number: bigint, suffix: string): bigint {
  return number * (units[suffix.toLowerCase()] ?? 1n);
}

function refuse(value: unknown, name: string, why: string): DiskError {
  return new DiskError("EINVAL", `${name} ${typeof value === "string" ? JSON.stringify(value) : String(value)}: ${why}`);
}
