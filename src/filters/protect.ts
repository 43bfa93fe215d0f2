// The protect filter: parts of a disk that can be read, and written only with what is there already.

import { type Difference, difference, notZero } from "../common/same-content.ts";
import { type Awaitable, andThen, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { between, joined, type ProtectedRange, type Span, spansOf, within } from "./protect/ranges.ts";

export type { ProtectedRange } from "./protect/ranges.ts";

/**
 * Protects parts of a disk. A request that would change anything there fails with EPERM and changes nothing elsewhere; one that writes what is there
 * already succeeds, as programs that write whole blocks do.
 *
 * @param ranges - objects, or text as nbdkit takes it: `0-0x1bd`, `512-`, `~1048576-2097151` (all but that); the end is the last byte
 * @throws DiskError EINVAL when a range is none
 * @example A boot sector whose code stays as it is, while its partition table may change
 * ```ts
 * const disk = pipe(memory("1G"), protect("0-0x1bd"));
 * ```
 */
export function protect(...ranges: readonly (ProtectedRange | string)[]): Filter {
  const spans = joined(ranges.flatMap(spansOf));
  return filter("protect", (disk, { signal }) => overrides(disk, spans, signal));
}

function overrides(disk: Disk, spans: readonly Span[], signal: AbortSignal): Overrides {
  const { capabilities: can, room } = disk;
  const concerned = (offset: bigint, length: bigint): readonly Span[] => within(spans, offset, offset + length);

  /** Zeroes or trims a range in which some parts have to be zeroes already. */
  const wipe = async (
    parts: readonly Span[],
    offset: bigint,
    length: bigint,
    act: (at: bigint, bytes: bigint) => Awaitable<void>,
  ): Promise<void> => {
    for (const { start, end } of parts) refuse(await notZero(disk, start, end, signal));
    for (const { start, end } of between(parts, offset, offset + length)) await act(start, end - start);
  };

  return {
    write(source, offset, flags) {
      const parts = concerned(offset, BigInt(source.length));
      if (parts.length === 0) return disk.write(source, offset, flags);
      const at = (from: bigint, to: bigint): Uint8Array => source.subarray(Number(from - offset), Number(to - offset));
      const check = inTurn(parts, ({ start, end }) => andThen(difference(disk, at(start, end), start), refuse));
      const write = (): Awaitable<void> =>
        inTurn(between(parts, offset, offset + BigInt(source.length)), ({ start, end }) => disk.write(at(start, end), start, flags));
      return isPromise(check) ? check.then(write) : write();
    },
    ...(room && {
      room: (offset: bigint, length: number) => (concerned(offset, BigInt(length)).length === 0 ? room(offset, length) : undefined),
    }),
    zero: can.zero
      ? (offset, length, flags) => {
          const parts = concerned(offset, length);
          if (parts.length === 0) return disk.zero(offset, length, flags);
          if (flags.fastZero) throw new DiskError("ENOTSUP", "cannot zero fast: a part of the range is protected, and has to be read");
          return wipe(parts, offset, length, (at, bytes) => disk.zero(at, bytes, flags));
        }
      : undefined,
    trim: can.trim
      ? (offset, length, flags) => {
          const parts = concerned(offset, length);
          if (parts.length === 0) return disk.trim(offset, length, flags);
          return wipe(parts, offset, length, (at, bytes) => disk.trim(at, bytes, flags));
        }
      : undefined,
    traits: { trimZeroes: can.trimZeroes },
  };
}

function refuse(first: Difference | undefined): void {
  if (first === undefined) return;
  throw new DiskError("EPERM", `the byte at ${first.offset} is protected: it cannot be changed`, { offset: first.offset });
}

/** One after the other, at once where they answer at once. */
function inTurn(spans: readonly Span[], step: (span: Span) => Awaitable<void>, from = 0): Awaitable<void> {
  for (let i = from; i < spans.length; i += 1) {
    const done = step(spans[i] as Span);
    if (isPromise(done)) return done.then(() => inTurn(spans, step, i + 1));
  }
  return undefined;
}
