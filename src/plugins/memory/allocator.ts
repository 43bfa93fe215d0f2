// Where a memory disk keeps its bytes: the interface that allocators implement, and the choice between them.

import type { Awaitable } from "../../contract/awaitable.ts";
import type { BlockSize, Extent } from "../../contract/connection.ts";
import { DiskError } from "../../contract/error.ts";
import type { ZeroFlags } from "../../contract/flags.ts";
import { FlatStore } from "./flat.ts";
import { SparseStore } from "./sparse.ts";

/**
 * Makes the place where a memory disk keeps its bytes. An allocator may come from another package, one that compresses for example, and be used
 * for any number of disks.
 *
 * @example An allocator that keeps every disk in a buffer that threads can share
 * ```ts
 * const shared: Allocator = {
 *   name: "shared",
 *   allocate(size) {
 *     const bytes = new Uint8Array(new SharedArrayBuffer(Number(size)));
 *     return {
 *       read: (target, offset) => target.set(bytes.subarray(Number(offset), Number(offset) + target.length)),
 *       write: (source, offset) => bytes.set(source, Number(offset)),
 *       zero: (offset, length) => void bytes.fill(0, Number(offset), Number(offset + length)),
 *     };
 *   },
 * };
 * const disk = memory("16M", { allocator: shared });
 * ```
 */
export interface Allocator {
  /** What errors call it. */
  readonly name: string;
  /**
   * Makes the store of one disk: `size` bytes (0 to 2^63-1), all zero. Called once for each disk, when it starts. Throw if there cannot be one of
   * that size: the disk then does not start.
   */
  allocate(size: bigint): Awaitable<MemoryStore>;
}

/**
 * The bytes of one memory disk. It lives as long as the disk's plugin object and is never closed: what it holds must be collectable. The methods
 * follow the rules of those of a {@link Connection} that bear the same name: they may answer at once or with a promise, several calls may be under
 * way at a time, and a buffer is theirs until the answer only. Ranges are never empty and always on the disk.
 */
export interface MemoryStore {
  /** The block sizes that suit it. Default: any, 4096 preferred. A `maximum` would bind trim and zero as well: rather leave it at 0xffffffff. */
  readonly blockSize?: BlockSize;
  /** Fills `target` with the bytes at `offset`; what was never written is zero. */
  read(target: Uint8Array, offset: bigint): Awaitable<void>;
  /** Keeps the bytes of `source` at `offset`. Throw a {@link DiskError} `ENOSPC` when there is no memory for them. */
  write(source: Uint8Array, offset: bigint): Awaitable<void>;
  /**
   * Makes the range read as zeroes, of any length up to the whole disk, and gives up the memory that only it needed. With `flags.noHole` the range
   * is to be allocated afterwards. Trimming a disk comes here too.
   */
  zero(offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void>;
  /**
   * Lends the bytes of the range as pieces in order. A piece may change while it is lent only if its own range is written or zeroed; it must never
   * come to show another part of the disk, so memory that was lent is not to be used for other content. See {@link Connection.views}.
   */
  views?(offset: bigint, length: number): readonly Uint8Array[] | undefined;
  /** Lends the place where the bytes of the range are kept, for a `write` that will be called with it as its source. See {@link Connection.room}. */
  room?(offset: bigint, length: number): Uint8Array | undefined;
  /** Lists holes and zeroes. Without it all is reported as data. See {@link Connection.extents}. */
  extents?(offset: bigint, length: bigint): Awaitable<Iterable<Extent> | AsyncIterable<Extent>>;
}

const sparse: Allocator = { name: "sparse", allocate: (size) => new SparseStore(size) };
const malloc: Allocator = { name: "malloc", allocate: (size) => new FlatStore(size) };

/** The allocator that an option asks for. Throws EINVAL when it is none. */
export function toAllocator(value: "sparse" | "malloc" | Allocator = "sparse"): Allocator {
  if (value === "sparse") return sparse;
  if (value === "malloc") return malloc;
  if (typeof value === "object" && value !== null && typeof value.name === "string" && typeof value.allocate === "function") return value;
  const shown =
    typeof value === "string"
      ? JSON.stringify(value)
      : typeof value === "function"
        ? `the function ${(value as { name: string }).name}`
        : String(value);
  throw new DiskError("EINVAL", `allocator ${shown}: expected "sparse", "malloc" or an allocator, an object with a name and allocate()`);
}

/** Checks that what an allocator made is a store. */
export function assertStore(value: MemoryStore, { name }: Allocator): MemoryStore {
  for (const method of ["read", "write", "zero"] as const) {
    if (typeof value?.[method] !== "function") throw new DiskError("EINVAL", `allocator ${name} made a store without ${method}()`);
  }
  return value;
}
