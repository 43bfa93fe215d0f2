// A part of a disk as a disk: what a filter that only moves bytes answers with.

import { andThen, isPromise } from "../contract/awaitable.ts";
import type { Extent } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import type { Overrides } from "../contract/filter.ts";
import type { ExtentFlags } from "../contract/flags.ts";

/**
 * The part of `disk` that starts at `start`, for `size` bytes, as the overrides of a filter. Whatever the disk can do, its part can do; an
 * error that names a byte names it as the part counts.
 *
 * @param start - bytes; the part has to be on the disk
 */
export function sliceOf(disk: Disk, start: bigint, size: bigint): Overrides {
  if (start === 0n) return { size };
  const { capabilities: can, views, room } = disk;
  const { buffered, ranged, listed } = mover(start);
  return {
    size,
    traits: { trimZeroes: can.trimZeroes },
    contexts: disk.contexts.map((context) => ({ name: context.name, extents: listed(context.extents) })),
    read: buffered(disk.read),
    ...(views && { views: (offset: bigint, length: number) => views(offset + start, length) }),
    ...(room && { room: (offset: bigint, length: number) => room(offset + start, length) }),
    ...(can.write && { write: buffered(disk.write) }),
    ...(can.trim && { trim: ranged(disk.trim) }),
    ...(can.zero && { zero: ranged(disk.zero) }),
    ...(can.extents && { extents: listed(disk.extents) }),
    ...(can.cache === "native" && { cache: ranged(disk.cache) }),
  };
}

/** Makes methods of a part of methods of the whole. What the disk answers at once stays so. */
function mover(start: bigint) {
  const moved = (error: unknown): never => {
    if (DiskError.is(error) && error.offset !== undefined)
      throw new DiskError(error.code, error.message, { offset: error.offset - start, cause: error });
    throw error;
  };
  const answer = <T>(done: T | PromiseLike<T>): T | PromiseLike<T> => (isPromise(done) ? done.then(undefined, moved) : done);
  return {
    buffered: <F>(call: (buffer: Uint8Array, offset: bigint, flags?: F) => void | PromiseLike<void>) => {
      return (buffer: Uint8Array, offset: bigint, flags?: F): void | PromiseLike<void> => {
        try {
          return answer(call(buffer, offset + start, flags));
        } catch (error) {
          return moved(error);
        }
      };
    },
    ranged: <F>(call: (offset: bigint, length: bigint, flags?: F) => void | PromiseLike<void>) => {
      return (offset: bigint, length: bigint, flags?: F): void | PromiseLike<void> => {
        try {
          return answer(call(offset + start, length, flags));
        } catch (error) {
          return moved(error);
        }
      };
    },
    listed: <E extends Pick<Extent, "offset">>(
      call: (offset: bigint, length: bigint, flags?: ExtentFlags) => readonly E[] | PromiseLike<readonly E[]>,
    ) => {
      const back = (list: readonly E[]): E[] => list.map((extent) => ({ ...extent, offset: extent.offset - start }));
      return (offset: bigint, length: bigint, flags?: ExtentFlags): E[] | PromiseLike<E[]> => {
        try {
          return andThen(answer(call(offset + start, length, flags)), back);
        } catch (error) {
          return moved(error);
        }
      };
    },
  };
}
