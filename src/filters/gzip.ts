// The gzip filter: what is in a gzip file, read anywhere, without unpacking it to a temporary file.

import { readonlyRequest } from "../common/readonly-request.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";
import { unlessAborted } from "../contract/unless-aborted.ts";
import { type Index, makeIndex } from "./gzip/checkpoints.ts";
import { type Blocks, newBlocks, Unpacked } from "./gzip/unpacked.ts";

/** How much memory {@link gzip} takes, for all clients together. */
export interface GzipOptions {
  /** Unpacked bytes that are kept. Default: 64 MiB. */
  readonly cache?: Size;
  /**
   * What the index may take: 32 KiB for each place from which the file can be unpacked. They are 512 KiB apart, and further where that would be too
   * many; a read unpacks half of that on average. Default: 128 MiB, which does for 2 GiB unpacked at 512 KiB.
   */
  readonly index?: Size;
}

/** Exports whose index is kept: clients must not be able to fill the memory with names. */
const MAX_EXPORTS = 8;

/** What is known of one export's file, and by whom it is being found out. */
interface Known {
  readonly index: Promise<Index>;
  readonly blocks: Blocks;
  readonly packed: bigint;
  /** Aborted when the client through whom it is found out goes. */
  readonly signal: AbortSignal;
}

/**
 * Serves what is in a gzip file, read-only. The first client waits while the whole file is unpacked once, to nowhere: that tells its size, verifies its
 * checksums, and makes an index of places from which it can be unpacked later, so that reading anywhere is quick. All clients share the index.
 *
 * Files of several members are one disk, as with gzip; what follows the last member and is none is passed over. A file that is damaged or cut off is
 * refused when it is opened.
 *
 * @throws DiskError EINVAL when an option is no size
 * @example A compressed image
 * ```ts
 * await using server = await serve(pipe(file("disk.img.gz"), gzip()));
 * ```
 */
export function gzip(options: GzipOptions = {}): Filter {
  const cache = Number(parseSize(options.cache ?? "64M", "cache"));
  const memory = Number(parseSize(options.index ?? "128M", "index"));
  return (next) => {
    const exports = new Map<string, Known>();

    /** The index of the file, which the first client who asks has made. When that one goes the next one goes about it anew. */
    const known = async (disk: Disk, name: string, signal: AbortSignal): Promise<{ index: Index; blocks: Blocks }> => {
      for (;;) {
        let found = exports.get(name);
        // A file of another size is another one.
        if (found === undefined || found.packed !== disk.size) {
          if (disk.size === 0n) throw new DiskError("EINVAL", "gzip: the file is empty");
          found = { index: makeIndex(disk, memory, signal), blocks: newBlocks(cache), packed: disk.size, signal };
          exports.delete(name);
          exports.set(name, found);
          for (const [oldest] of exports) if (exports.size > MAX_EXPORTS) exports.delete(oldest);
        }
        const own = found.signal === signal;
        try {
          return { index: await (own ? found.index : unlessAborted(found.index, signal)), blocks: found.blocks };
        } catch (error) {
          // Who gives up waiting is no concern of those who go on.
          if (signal.aborted && !own) throw error;
          if (exports.get(name) === found) exports.delete(name);
          if (own || !found.signal.aborted) throw error;
        }
      }
    };

    return filter(
      "gzip",
      async (disk, { exportName, signal }) => {
        const { index, blocks } = await known(disk, exportName, signal);
        const unpacked = new Unpacked(disk, index, blocks, signal);
        return {
          size: index.size,
          blockSize: { minimum: 1, preferred: 4096, maximum: 0xffffffff },
          traits: { multiConn: true },
          contexts: undefined,
          read: (target, offset) => unpacked.read(target, offset),
          write: undefined,
          flush: undefined,
          trim: undefined,
          zero: undefined,
          extents: undefined,
          cache: undefined,
        };
      },
      { open: (below, request) => below.open(readonlyRequest(request)), close: () => exports.clear() },
    )(next);
  };
}
