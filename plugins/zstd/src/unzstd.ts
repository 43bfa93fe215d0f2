// The filter: a disk that reads as what a zstd file holds.

import { type Disk, DiskError, type Filter, filter, type OpenRequest, type Overrides, parseSize, type Size } from "diskwright";
import { loadCodec } from "./codec/codec.ts";
import { Content } from "./content.ts";
import { FormatError } from "./frames/format-error.ts";
import type { Frames } from "./frames/frames.ts";
import { scan } from "./frames/scan.ts";
import { readSeekTable } from "./frames/seek-table.ts";
import { type Unpacking, unpack } from "./frames/unpack.ts";

/** How {@link unzstd} decompresses. */
export interface UnzstdOptions {
  /**
   * Bytes of decompressed content that are kept for each client. Frames of up to a quarter of it are decompressed whole, so that their checksums are
   * verified before anything of them is read. Default: 64M.
   */
  readonly maxMemory?: Size;
  /** Bytes of memory that a frame may need to be decompressed, a power of two from 1K to 2G; one that needs more is refused. Default: 128M. */
  readonly maxWindow?: Size;
}

/**
 * A disk that reads as what the zstd file below holds. It is read-only.
 *
 * How quickly any part of it can be read depends on how the file was made. In a *seekable* file, and in one of many frames as `pzstd` makes it, only the
 * frames that have the part are decompressed. A file of one large frame, as plain `zstd` makes it, can only be decompressed from its start: reading it
 * from front to back is quick, and reading further back starts over.
 *
 * Files that have no seek table are looked through when they are opened, header by header; frames that do not say how much they hold, as those of a pipe,
 * are decompressed then.
 *
 * It decompresses with the package zstd-napi, or else with Node's own zstd (22.15 and later); the disk does not open where neither is there. Sources: RFC
 * 8878; "Zstandard Seekable Format", version 0.1.0.
 *
 * @throws DiskError EINVAL when an option is not what it should be; on opening, when the file below is no zstd file or its structure is damaged; EIO on
 * reading a frame that is damaged
 * @example
 * ```ts
 * await using disk = await openDisk(pipe(memory("64M"), unzstd({ maxMemory: "256M" })));
 * ```
 */
export function unzstd(options: UnzstdOptions = {}): Filter {
  const { maxMemory = "64M", maxWindow = "128M" } = options;
  const memory = Number(parseSize(maxMemory, "maxMemory"));
  if (memory < 1) throw new DiskError("EINVAL", `maxMemory ${memory}: expected at least a byte`);
  const windowLog = Math.log2(Number(parseSize(maxWindow, "maxWindow")));
  if (!Number.isInteger(windowLog) || windowLog < 10 || windowLog > 31) {
    throw new DiskError("EINVAL", `maxWindow ${String(maxWindow)}: expected a power of two from 1K to 2G`);
  }
  return filter("zstd", (disk, request) => open(disk, request, memory, windowLog));
}

async function open(disk: Disk, { signal }: OpenRequest, memory: number, windowLog: number): Promise<Overrides> {
  const unpacking: Unpacking = { disk, codec: await loadCodec(), windowLog, signal };
  const frames = await findFrames(disk, unpacking);
  const content = new Content(frames, unpacking, { memory });
  return {
    size: BigInt(frames.size),
    blockSize: undefined,
    contexts: [],
    // What is decompressed is decompressed for one client.
    traits: { multiConn: false },
    read(target, offset) {
      const pieces = content.kept(Number(offset), target.length);
      if (pieces === undefined) return content.read(target, Number(offset));
      let done = 0;
      for (const piece of pieces) {
        target.set(piece, done);
        done += piece.length;
      }
      return undefined;
    },
    views: (offset, length) => (length === 0 ? undefined : content.kept(Number(offset), length)),
    write: undefined,
    trim: undefined,
    zero: undefined,
    extents: undefined,
    cache: undefined,
    close: () => content.close(),
  };
}

async function findFrames(disk: Disk, unpacking: Unpacking): Promise<Frames> {
  try {
    if (disk.size > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError("it is larger than any file");
    return (await readSeekTable(disk)) ?? (await scan(disk, (at, length) => measure({ at, length }, unpacking), unpacking.signal));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new DiskError("EINVAL", `the zstd file cannot be read: ${error.message}`, { cause: error });
  }
}

/** Bytes that a frame holds. */
async function measure(frame: { readonly at: number; readonly length: number }, unpacking: Unpacking): Promise<number> {
  let size = 0;
  for await (const bytes of unpack(frame, unpacking)) size += bytes.length;
  return size;
}
