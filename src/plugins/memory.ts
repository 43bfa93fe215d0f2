// The memory plugin: a disk that is kept in this process's memory, shared by all clients, gone with the process.

import { type Awaitable, andThen, isPromise } from "../contract/awaitable.ts";
import type { Connection } from "../contract/connection.ts";
import { zeroFlags } from "../contract/flags.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";
import { type Allocator, assertStore, type MemoryStore, toAllocator } from "./memory/allocator.ts";

export type { Allocator, MemoryStore } from "./memory/allocator.ts";

/** How a {@link memory} disk keeps its bytes. */
export interface MemoryOptions {
  /**
   * `sparse`: pages of 32 KiB that take memory once they are written and give it back when they are trimmed or zeroed; for disks of any size.
   * `malloc`: one flat buffer, set aside when the disk starts; for small disks (up to 4 GiB on Node 20). Or an {@link Allocator} of your own, or
   * of a package. Default: `sparse`.
   */
  readonly allocator?: "sparse" | "malloc" | Allocator;
}

/**
 * A disk in memory. Every byte is zero at first. All clients share the content; it lives as long as the plugin object does: closing the server, or
 * the disk, and opening it again finds it as it was.
 *
 * With the default allocator a disk takes as much memory as was written to it, so it may be far larger than the machine's memory. Pages that were
 * trimmed or zeroed are left to the garbage collector: the operating system gets them back when that has run. A write for which there is no
 * memory fails with ENOSPC.
 *
 * @param size - 0 to 2^63-1 bytes
 * @throws DiskError EINVAL when the size is no size or the allocator none
 * @example Serve a gigabyte
 * ```ts
 * await using server = await serve(memory("1G"));
 * ```
 * @example The largest disk there is, in process
 * ```ts
 * await using disk = await openDisk(memory(2n ** 63n - 1n));
 * await disk.write(Buffer.from("the end"), disk.size - 7n);
 * ```
 */
export function memory(size: Size, options: MemoryOptions = {}): Plugin {
  const bytes = parseSize(size);
  const allocator = toAllocator(options.allocator);
  let kept: Awaitable<MemoryStore> | undefined;

  /** The disk's store, made when it is first asked for. One that cannot be made is tried again the next time. */
  const store = (): Awaitable<MemoryStore> => {
    if (kept !== undefined) return kept;
    const made = andThen(allocator.allocate(bytes), (value) => {
      kept = assertStore(value, allocator);
      return kept;
    });
    if (!isPromise(made)) return made;
    kept = made.then(undefined, (error: unknown) => {
      kept = undefined;
      throw error;
    });
    return kept;
  };

  return {
    name: "memory",
    start: () => andThen(store(), () => undefined),
    open: () => andThen(store(), (kept) => connectionTo(kept, bytes)),
  };
}

/** A client's view of the store; there is nothing that one client has and another has not. */
function connectionTo(store: MemoryStore, size: bigint): Connection {
  return {
    size,
    blockSize: store.blockSize ?? { minimum: 1, preferred: 4096, maximum: 0xffffffff },
    traits: { fua: "native", fastZero: true, trimZeroes: true, multiConn: true, cache: "native" },
    read: (target, offset) => store.read(target, offset),
    write: (source, offset) => store.write(source, offset),
    zero: (offset, length, flags) => store.zero(offset, length, flags),
    trim: (offset, length, { fua }) => store.zero(offset, length, zeroFlags(fua, false, false)),
    ...(store.views && { views: (offset, length) => store.views?.(offset, length) }),
    ...(store.room && { room: (offset, length) => store.room?.(offset, length) }),
    ...(store.extents && { extents: (offset, length) => store.extents?.(offset, length) ?? [] }),
    // Memory is as stable as this disk gets, and as near. Both are offered because clients take their absence for a lack of care.
    flush() {},
    cache() {},
  };
}
