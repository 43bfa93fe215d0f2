// The truncate filter: a disk cut off, made longer with zeroes, or rounded to a multiple of something.

import { isZeroes } from "../common/zeroes.ts";
import { type Awaitable, andThen } from "../contract/awaitable.ts";
import type { Context, Extent } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { ExtentFlags } from "../contract/flags.ts";
import type { Filter } from "../contract/plugin.ts";
import { MAX_SIZE, parseSize, type Size } from "../contract/size.ts";

/** The size that {@link truncate} gives a disk. */
export interface TruncateOptions {
  /** So many bytes. Default: as many as the disk has. */
  readonly size?: Size;
  /** Then rounded up to a multiple of so many bytes. */
  readonly roundUp?: Size;
  /** Then rounded down to a multiple of so many bytes. */
  readonly roundDown?: Size;
}

/**
 * Changes the size of a disk. What is added reads as zeroes and is a hole; only zeroes may be written there, everything else fails with ENOSPC.
 *
 * @throws DiskError EINVAL when an option is no size, or would round to multiples of 0
 * @example An image whose size is no multiple of a sector, for clients that insist on it
 * ```ts
 * const disk = pipe(myPlugin, truncate({ roundUp: 512 }));
 * ```
 */
export function truncate(options: TruncateOptions = {}): Filter {
  const fixed = options.size === undefined ? undefined : parseSize(options.size, "size");
  const roundUp = unit(options.roundUp, "roundUp");
  const roundDown = unit(options.roundDown, "roundDown");
  return filter("truncate", (disk) => {
    let size = fixed ?? disk.size;
    if (roundUp !== undefined) size = ((size + roundUp - 1n) / roundUp) * roundUp;
    if (roundDown !== undefined) size -= size % roundDown;
    if (size > MAX_SIZE) throw new DiskError("EINVAL", `roundUp ${roundUp} makes a disk of ${size} bytes: the largest has 2^63-1`);
    return size <= disk.size ? { size } : longer(disk, size);
  });
}

function unit(value: Size | undefined, name: string): bigint | undefined {
  if (value === undefined) return undefined;
  const bytes = parseSize(value, name);
  if (bytes === 0n) throw new DiskError("EINVAL", `${name} 0: expected a number of bytes from 1 on`);
  return bytes;
}

/** The disk with a hole after its end. */
function longer(disk: Disk, size: bigint): Overrides {
  const { capabilities: can, size: end, views, room } = disk;
  /** How much of a range is on the disk. */
  const onDisk = (offset: bigint, length: number): number => (offset >= end ? 0 : Math.min(length, Number(end - offset)));

  const ranged = <F>(call: (offset: bigint, length: bigint, flags?: F) => Awaitable<void>) => {
    return (offset: bigint, length: bigint, flags?: F): Awaitable<void> => {
      if (offset + length <= end) return call(offset, length, flags);
      return offset >= end ? undefined : call(offset, end - offset, flags);
    };
  };

  return {
    size,
    traits: { trimZeroes: can.trimZeroes },
    contexts: disk.contexts.map((context) => cropped(context, end)),
    read(target, offset) {
      const below = onDisk(offset, target.length);
      if (below === target.length) return disk.read(target, offset);
      target.fill(0, below);
      return below === 0 ? undefined : disk.read(target.subarray(0, below), offset);
    },
    ...(views && {
      views: (offset: bigint, length: number) => (onDisk(offset, length) === length ? views(offset, length) : undefined),
    }),
    ...(room && {
      room: (offset: bigint, length: number) => (onDisk(offset, length) === length ? room(offset, length) : undefined),
    }),
    ...(can.write && {
      write(source, offset, flags) {
        const below = onDisk(offset, source.length);
        if (below === source.length) return disk.write(source, offset, flags);
        checkZeroes(source, below, offset, end);
        return below === 0 ? undefined : disk.write(source.subarray(0, below), offset, flags);
      },
    }),
    ...(can.trim && { trim: ranged(disk.trim) }),
    ...(can.zero && { zero: ranged(disk.zero) }),
    ...(can.cache === "native" && { cache: ranged(disk.cache) }),
    extents(offset, length, flags) {
      if (offset + length <= end) return disk.extents(offset, length, flags);
      const hole = (from: bigint): Extent => ({ offset: from, length: offset + length - from, hole: true, zero: true });
      if (offset >= end) return [hole(offset)];
      return andThen(disk.extents(offset, end - offset, flags), (list) => {
        const last = list.at(-1) as Extent;
        return last.offset + last.length === end ? [...list, hole(end)] : list;
      });
    },
  };
}

/** Nothing is written when a part cannot be: the part on the disk neither. */
function checkZeroes(source: Uint8Array, from: number, offset: bigint, end: bigint): void {
  if (isZeroes(source.subarray(from))) return;
  const first = source.findIndex((byte, i) => i >= from && byte !== 0);
  throw new DiskError("ENOSPC", `cannot write past byte ${end}, where the disk below ends: only zeroes may be written there`, {
    offset: offset + BigInt(first),
  });
}

/** A context that says nothing of what is past the end. */
function cropped({ name, extents }: Context, end: bigint): Context {
  return {
    name,
    extents(offset: bigint, length: bigint, flags: ExtentFlags) {
      if (offset >= end) return [];
      return extents(offset, offset + length <= end ? length : end - offset, flags);
    },
  };
}
