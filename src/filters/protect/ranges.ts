// Ranges of a disk that are protected, as they are typed and as they are looked up.

import { DiskError } from "../../contract/error.ts";
import { MAX_SIZE, parseSize, type Size } from "../../contract/size.ts";

/** Bytes from `start` to `end`, which is the last of them; or all but these. */
export interface ProtectedRange {
  /** The first byte. Default: that of the disk. */
  readonly start?: Size;
  /** The last byte. Default: that of the disk. */
  readonly end?: Size;
  /** Everything else is meant. Default: false. */
  readonly complement?: boolean;
}

/** From `start` to before `end`. */
export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Reads a range: `START-END`, `START-`, `-END`, or `~` and one of these for all but that. Numbers are decimal, `0x` hexadecimal or, with a leading 0, octal.
 *
 * @throws DiskError EINVAL when it is no such range
 */
export function spansOf(range: ProtectedRange | string): readonly Span[] {
  const { start = 0n, end, complement = false } = typeof range === "string" ? parseText(range) : range;
  const first = parseSize(start, "start of protect");
  const last = end === undefined ? MAX_SIZE : parseSize(end, "end of protect");
  if (last < first) throw new DiskError("EINVAL", `protect ${first}-${last}: the range ends before it starts`);
  if (!complement) return [{ start: first, end: last + 1n }];
  return [
    { start: 0n, end: first },
    { start: last + 1n, end: MAX_SIZE },
  ].filter((span) => span.start < span.end);
}

/** Sorts ranges, and makes one of those that touch. */
export function joined(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    const last = result.at(-1);
    if (last === undefined || last.end < span.start) result.push(span);
    else if (span.end > last.end) result[result.length - 1] = { start: last.start, end: span.end };
  }
  return result;
}

/** The parts of `spans` that lie from `start` to before `end`. The spans are sorted and do not touch. */
export function within(spans: readonly Span[], start: bigint, end: bigint): readonly Span[] {
  const found: Span[] = [];
  for (const span of spans) {
    if (span.end <= start) continue;
    if (span.start >= end) break;
    found.push({ start: span.start > start ? span.start : start, end: span.end < end ? span.end : end });
  }
  return found;
}

/** What lies between `spans` from `start` to before `end`. */
export function between(spans: readonly Span[], start: bigint, end: bigint): readonly Span[] {
  const found: Span[] = [];
  let at = start;
  for (const span of spans) {
    if (span.start > at) found.push({ start: at, end: span.start });
    at = span.end;
  }
  if (at < end) found.push({ start: at, end });
  return found;
}

const number = "(0x[0-9a-f]+|\\d+)?";
const pattern = new RegExp(`^(~)?${number}-${number}$`, "i");

function parseText(text: string): ProtectedRange {
  const match = pattern.exec(text.trim());
  if (match === null) {
    throw new DiskError(
      "EINVAL",
      `protect ${JSON.stringify(text)}: expected START-END in bytes, START-, -END, or ~START-END for all but that`,
    );
  }
  const [, not, start, end] = match;
  return {
    complement: not !== undefined,
    ...(start !== undefined && { start: parseNumber(start, text) }),
    ...(end !== undefined && { end: parseNumber(end, text) }),
  };
}

function parseNumber(digits: string, text: string): bigint {
  try {
    return BigInt(/^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits);
  } catch {
    throw new DiskError("EINVAL", `protect ${JSON.stringify(text)}: ${digits} is no octal number, which a leading 0 makes it`);
  }
}
