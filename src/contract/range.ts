// Is the range on the disk?

import { DiskError } from "./error.ts";

/** Throws `code` when the range is not on the disk, EINVAL when it is no range at all. */
export type RangeCheck = (code: string, operation: string, offset: bigint, length: bigint | number) => void;

/**
 * Makes the check for a disk of `size` bytes. Below 2^53 it works on numbers, a third of the time that bigints take on the hot path;
 * a bigint that a number cannot hold is rounded, but never to a number that is on such a disk.
 */
export function rangeCheck(size: bigint): RangeCheck {
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    return (code, operation, offset, length) => {
      if (typeof offset !== "bigint" || !(length >= 0)) throw noRange(operation, offset, length);
      if (offset < 0n || offset + BigInt(length) > size) throw pastEnd(code, operation, offset, length, size);
    };
  }
  const end = Number(size);
  return (code, operation, offset, length) => {
    const start = Number(offset);
    const bytes = Number(length);
    // Asked so that NaN, the length of what is no Uint8Array, is refused too.
    if (typeof offset !== "bigint" || !(bytes >= 0)) throw noRange(operation, offset, length);
    if (start < 0 || start + bytes > end) throw pastEnd(code, operation, offset, length, size);
  };
}

function noRange(operation: string, offset: unknown, length: unknown): DiskError {
  if (typeof offset !== "bigint")
    return new DiskError("EINVAL", `cannot ${operation}: offset ${String(offset)} is no bigint (0n, 4096n …)`);
  return new DiskError(
    "EINVAL",
    `cannot ${operation}: a length of ${String(length)}: expected a Uint8Array, or a range of at least 0 bytes`,
  );
}

function pastEnd(code: string, operation: string, offset: bigint, length: bigint | number, size: bigint): DiskError {
  return new DiskError(code, `cannot ${operation}: ${length} bytes at ${offset} are not on the disk (${size} bytes)`);
}
