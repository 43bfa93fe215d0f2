// Requests with a gate in front, which may refuse them or keep them waiting: for filters that disturb and slow down.

import type { Awaitable } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import type { Wrapping } from "./wrapping.ts";

/** What can be asked of a disk, as {@link gated} tells it apart. */
export type Gated = "read" | "write" | "trim" | "zero" | "extents" | "cache";

/** Asked before a request goes on: throws to refuse it, or answers with a promise to keep it waiting. */
export type Gate = (length: bigint | number, flags?: { readonly fastZero?: boolean }) => Awaitable<void>;

/** The requests that have a gate, each going on once its gate lets it; as far as the disk can do them. */
export function gated(disk: Disk, gates: { readonly [K in Gated]?: Gate | undefined }): Wrapping {
  const { capabilities: can } = disk;
  const { read, write, trim, zero, extents, cache } = gates;
  return {
    ...(read && {
      read(target, offset) {
        const wait = read(target.length);
        return wait === undefined ? disk.read(target, offset) : later(wait, disk.read, target, offset, undefined);
      },
    }),
    ...(write &&
      can.write && {
        write(source, offset, flags) {
          const wait = write(source.length);
          return wait === undefined ? disk.write(source, offset, flags) : later(wait, disk.write, source, offset, flags);
        },
      }),
    ...(trim &&
      can.trim && {
        trim(offset, length, flags) {
          const wait = trim(length);
          return wait === undefined ? disk.trim(offset, length, flags) : later(wait, disk.trim, offset, length, flags);
        },
      }),
    ...(zero &&
      can.write && {
        zero(offset, length, flags) {
          const wait = zero(length, flags);
          return wait === undefined ? disk.zero(offset, length, flags) : later(wait, disk.zero, offset, length, flags);
        },
      }),
    ...(extents &&
      can.extents && {
        extents(offset, length, flags) {
          const wait = extents(length);
          return wait === undefined ? disk.extents(offset, length, flags) : later(wait, disk.extents, offset, length, flags);
        },
      }),
    ...(cache &&
      can.cache !== "none" && {
        cache(offset, length) {
          const wait = cache(length);
          return wait === undefined ? disk.cache(offset, length) : later(wait, disk.cache, offset, length, undefined);
        },
      }),
  };
}

/** Spelled out arguments, and a function of its own, so that a request that need not wait makes no closure. */
async function later<T, A, B, C>(wait: PromiseLike<void>, method: (a: A, b: B, c: C) => Awaitable<T>, a: A, b: B, c: C): Promise<T> {
  await wait;
  return method(a, b, c);
}
