// Ranges of a disk that are protected: as they are given, and as they lie on a disk.

import { DiskError } from "../../contract/error.ts";
import { parseSize } from "../../contract/size.ts";
import type { ProtectedRange } from "../protect.ts";

/** A range as it was given; without an end it reaches to that of the disk. */
export interface Given {
  readonly start: bigint;
  /** The first byte after it. */
  readonly end: bigint | undefined;
  readonly outside: boolean;
}

/** A part of a request. */
export interface Part {
  readonly start: bigint;
  readonly end: bigint;
  readonly guarded: boolean;
}

/** From the first byte to the one after the last. */
type Span = readonly [start: bigint, end: bigint];

/**
 * Reads a range.
 *
 * @throws DiskError EINVAL when it is none
 */
export function toRange(range: ProtectedRange | string): Given {
  if (typeof range === "string") return parseRange(range);
  const start = parseSize(range.offset ?? 0n, "offset");
  const end = range.length === undefined ? undefined : start + parseSize(range.length, "length");
  return { start, end, outside: range.outside ?? false };
}

/** `START-END`, with the last byte, each decimal, 0x hexadecimal or 0 octal, or left out; after a `~`, everything else. */
function parseRange(text: string): Given {
  const match = /^(~?)(0x[0-9a-f]+|\d*)-(0x[0-9a-f]+|\d*)$/i.exec(text);
  const start = toBytes(match?.[2]) ?? 0n;
  const last = toBytes(match?.[3]);
  if (match === null || (last !== undefined && last < start)) {
    throw new DiskError("EINVAL", `the range ${JSON.stringify(text)}: expected START-END or ~START-END, of the first and last byte`);
  }
  return { start, end: last === undefined ? undefined : last + 1n, outside: match[1] === "~" };
}

function toBytes(digits: string | undefined): bigint | undefined {
  if (digits === undefined || digits === "") return undefined;
  return BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
}

/** What is protected on a disk of `size` bytes, in order and without overlap. */
export function protectedParts(ranges: readonly Given[], size: bigint): readonly Span[] {
  const spans: Span[] = [];
  for (const { start, end = size, outside } of ranges) {
    const from = start < size ? start : size;
    const to = end < size ? end : size;
    if (outside) spans.push([0n, from], [to, size]);
    else spans.push([from, to]);
  }
  spans.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const merged: Span[] = [];
  for (const [start, end] of spans) {
    const last = merged.at(-1);
    if (start >= end) continue;
    if (last === undefined || start > last[1]) merged.push([start, end]);
    else if (end > last[1]) merged[merged.length - 1] = [last[0], end];
  }
  return merged;
}

/** Cuts a request where protection begins and ends. */
export function partsOf(guarded: readonly Span[], offset: bigint, length: bigint): readonly Part[] {
  const end = offset + length;
  const parts: Part[] = [];
  let at = offset;
  for (const [from, to] of guarded) {
    if (to <= at) continue;
    if (from >= end) break;
    if (from > at) {
      parts.push({ start: at, end: from, guarded: false });
      at = from;
    }
    let stop = to;
    if (stop > end) stop = end;
    parts.push({ start: at, end: stop, guarded: true });
    at = stop;
  }
  if (at < end) parts.push({ start: at, end, guarded: false });
  return parts;
}
