// The cache filter: blocks of a slow disk in a temporary file near by.

import { BlockFile } from "../common/block-file.ts";
import { blockSizeOver, parseBlockSize } from "../common/block-size.ts";
import { parseFileSwitch } from "../common/file-switch.ts";
import { checkOneOf } from "../common/one-of.ts";
import { openTemporaryFile } from "../common/temporary-file.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { everyStep } from "../contract/every-step.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter, OpenRequest } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";
import { BlockCache, type CacheMode } from "./cache/block-cache.ts";
import type { CacheLimits } from "./cache/room.ts";

export type { CacheMode } from "./cache/block-cache.ts";

/** How a {@link cache} works. */
export interface CacheOptions {
  /**
   * When what is written reaches the disk below. `writeback`: when a client flushes or goes, or the cache is full. `writethrough`: at once. `unsafe`: when
   * the cache is full or the last client goes; flush and FUA are ignored, and a crash loses data that clients believe to be safe. Default: `writeback`.
   */
  readonly mode?: CacheMode;
  /** Bytes that are kept together: a power of two from 4 KiB to 64 MiB. Default: `64k`. */
  readonly blockSize?: Size;
  /** Bytes that the cache of an export may take. Default: as many as the disk has. */
  readonly maxSize?: Size;
  /** When the cache has so many per cent of `maxSize`, the blocks that were not used for longest are removed… Default: 95. */
  readonly highThreshold?: number;
  /** …until it has no more than so many. Default: 80. */
  readonly lowThreshold?: number;
  /** Bytes that may wait to be written back; who writes more waits until there are fewer. Default: `1G`. */
  readonly maxDirty?: Size;
  /**
   * What is read is kept, not only what is written or asked to be near. An absolute path: as long as a file of that name exists. Default: false.
   */
  readonly onRead?: boolean | string;
}

const modes: readonly CacheMode[] = ["writeback", "writethrough", "unsafe"];
const SMALLEST = 4096;
const LARGEST = 64 * 1024 * 1024;

/**
 * Keeps blocks of a disk in a temporary file: what clients write, what they ask to have near, and what they read if `onRead` says so. All clients of
 * an export share a cache; it is kept until the server closes.
 *
 * What cannot be written back stays in the cache, the client hears of it, and it is tried again with the next flush. What is flushed is
 * written back in the order of the disk before the disk below is flushed. When the last client goes everything is written back; if even that fails,
 * closing the server says how much is lost.
 *
 * @throws DiskError EINVAL when an option is not as it should be
 * @example A disk far away, of which a gigabyte is kept
 * ```ts
 * const near = pipe(myRemoteDisk, cache({ maxSize: "1G", onRead: true }));
 * ```
 */
export function cache(options: CacheOptions = {}): Filter {
  const settings = parse(options);
  return (next) => {
    const caches = new Map<string, Shared>();
    const guards = new WeakMap<OpenRequest, Guard>();

    const sharedOf = (disk: Disk, { exportName }: OpenRequest): Shared => {
      const kept = caches.get(exportName);
      if (kept?.blocks.size === disk.size) return kept;
      if (kept !== undefined) {
        throw new DiskError(
          "EINVAL",
          `the disk below cache had ${kept.blocks.size} bytes and has ${disk.size} now: it must not be resized`,
        );
      }
      const file = new BlockFile(openTemporaryFile("the cache"), settings.blockSize);
      const shared = { blocks: new BlockCache(disk.size, file, settings.mode, settings.limits), writers: 0 };
      caches.set(exportName, shared);
      return shared;
    };

    return filter(
      "cache",
      (disk, request) => {
        const blockSize = blockSizeOver(disk, settings.blockSize, "cache");
        return { blockSize, ...overrides(disk, sharedOf(disk, request), guards.get(request) as Guard, settings) };
      },
      {
        open(below, request) {
          const guard = new Guard(request);
          guards.set(request, guard);
          return below.open(guard.request);
        },
        async close() {
          const closing = [...caches.values()];
          caches.clear();
          await everyStep(
            ...closing.map(({ blocks }) => () => {
              const lost = blocks.dirtyBytes;
              if (lost > 0n) throw new DiskError("EIO", `cache: ${lost} bytes could not be written to the disk below, and are lost`);
            }),
            ...closing.map(
              ({ blocks }) =>
                () =>
                  blocks.close(),
            ),
          );
        },
      },
    )(next);
  };
}

/** The cache of an export. */
interface Shared {
  readonly blocks: BlockCache;
  /** How many clients have it open whose disk can be written. */
  writers: number;
}

/**
 * A client's request to open, whose signal reaches the disk below only once nothing has to be written back through it: a client that is gone is no
 * reason to lose what it wrote.
 */
class Guard {
  readonly request: OpenRequest;
  readonly #controller: AbortController = new AbortController();
  #beforeEnd: (() => Promise<void> | undefined) | undefined;

  constructor(request: OpenRequest) {
    const { peer, tls, signal, exportName, readonly } = request;
    this.request = {
      peer,
      tls,
      exportName,
      readonly,
      signal: this.#controller.signal,
      disconnect: (options) => request.disconnect(options),
    };
    const gone = (): void => {
      const end = (): void => this.#controller.abort(signal.reason);
      const work = this.#beforeEnd?.();
      // How that went is told when the disk closes, which tries again.
      if (work === undefined) end();
      else work.then(end, end);
    };
    if (signal.aborted) gone();
    else signal.addEventListener("abort", gone, { once: true });
  }

  /** Sets what is to be done when the client is gone, before the disk below gets to know that. */
  set beforeEnd(work: () => Promise<void> | undefined) {
    this.#beforeEnd = work;
  }

  /** The disk is closing, and sees to it itself. */
  release(): void {
    this.#beforeEnd = undefined;
  }
}

interface Settings {
  readonly mode: CacheMode;
  readonly blockSize: number;
  readonly limits: CacheLimits;
  keepsReads(): boolean;
}

function overrides(disk: Disk, shared: Shared, guard: Guard, settings: Settings): Overrides {
  const { blocks } = shared;
  const { mode, keepsReads } = settings;
  const { capabilities: can } = disk;
  const { signal } = guard.request;
  if (can.write) shared.writers += 1;
  guard.beforeEnd = () => {
    const mine = can.write && shared.writers === 1 && blocks.dirtyBytes > 0n;
    return mine ? (async () => blocks.flush(disk))() : undefined;
  };

  return {
    read(target, offset) {
      const length = BigInt(target.length);
      if (!keepsReads() || !blocks.lacks(offset, length)) return blocks.read(disk, target, offset);
      // What cannot be kept is read from below all the same, and fails there if it must.
      const read = (): ReturnType<BlockCache["read"]> => blocks.read(disk, target, offset);
      return blocks.load(disk, offset, length, signal).then(read, read);
    },
    ...(disk.views && { views: (offset: bigint, length: number) => (keepsReads() ? undefined : blocks.views(disk, offset, length)) }),
    ...(can.extents && { extents: (offset, length, flags) => blocks.extents(disk, offset, length, flags) }),
    cache: (offset, length) => blocks.load(disk, offset, length, signal),
    ...(can.write && {
      traits: { fua: "native", trimZeroes: can.trimZeroes },
      write: (source, offset, flags) => blocks.write(disk, source, offset, flags),
      flush: () => (mode === "unsafe" ? undefined : blocks.flush(disk)),
      ...(can.zero && { zero: (offset, length, flags) => blocks.zero(disk, offset, length, flags) }),
      ...(can.trim && { trim: (offset, length, flags) => blocks.trim(disk, offset, length, flags) }),
    }),
    async close() {
      guard.release();
      if (!can.write) return;
      shared.writers -= 1;
      await blocks.leave(disk, mode !== "unsafe" || shared.writers === 0);
    },
  };
}

function parse(options: CacheOptions): Settings {
  const { mode = "writeback", highThreshold = 95, lowThreshold = 80 } = options;
  const refuse = (text: string): DiskError => new DiskError("EINVAL", text);
  checkOneOf("mode of cache", mode, modes);
  const blockSize = parseBlockSize(options.blockSize ?? "64k", "blockSize of cache", SMALLEST, LARGEST);
  for (const [name, value] of Object.entries({ highThreshold, lowThreshold })) {
    if (!Number.isInteger(value) || value <= 0)
      throw refuse(`${name} of cache ${String(value)}: expected a whole number of per cent, above 0`);
  }
  if (lowThreshold >= highThreshold) {
    throw refuse(`lowThreshold of cache ${lowThreshold}: expected less than highThreshold (${highThreshold})`);
  }
  const blocksOf = (size: Size, name: string): number => {
    const blocks = Number(parseSize(size, name) / BigInt(blockSize));
    if (blocks === 0) throw refuse(`${name} ${String(size)}: expected at least one block (${blockSize} bytes)`);
    return blocks;
  };
  const most = options.maxSize === undefined ? Number.MAX_SAFE_INTEGER : blocksOf(options.maxSize, "maxSize of cache");
  const high = Math.min(most, Math.max(1, Math.floor((most * highThreshold) / 100)));
  const low = Math.max(1, Math.min(high, Math.floor((most * lowThreshold) / 100)));
  const dirty = blocksOf(options.maxDirty ?? "1G", "maxDirty of cache");
  return { mode, blockSize, limits: { most, high, low, dirty }, keepsReads: parseFileSwitch(options.onRead ?? false, "onRead of cache") };
}
