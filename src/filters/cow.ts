// The cow filter: a disk that can be written although the one below cannot, or is not to be. What is written is thrown away at the end.

import { BlockFile } from "../common/block-file.ts";
import { blockSizeOver, parseBlockSize } from "../common/block-size.ts";
import { parseFileSwitch } from "../common/file-switch.ts";
import { readonlyRequest } from "../common/readonly-request.ts";
import { openTemporaryFile } from "../common/temporary-file.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter, OpenRequest } from "../contract/plugin.ts";
import type { Size } from "../contract/size.ts";
import { slices } from "../contract/slices.ts";
import { Overlay } from "./cow/overlay.ts";

/** How a {@link cow} disk keeps what is written. */
export interface CowOptions {
  /** Bytes that are kept together: a power of two from 4 KiB to 64 MiB. A smaller write copies the rest of its block. Default: `64k`. */
  readonly blockSize?: Size;
  /** What clients ask to have near (NBD_CMD_CACHE) is copied from below into the temporary file. Default: false. */
  readonly onCache?: boolean;
  /**
   * What is read is copied from below into the temporary file, so that it is quicker the next time: for disks that are slow to read.
   * An absolute path: as long as a file of that name exists. Default: false.
   */
  readonly onRead?: boolean | string;
}

const SMALLEST = 4096;
const LARGEST = 64 * 1024 * 1024;

/**
 * Makes a disk writable without changing it: what is written goes to a temporary file, and is gone when the server, or the in-process disk, closes.
 * All clients of an export see the same; another export has an overlay of its own. The disk below is opened read-only.
 *
 * The temporary file is in the folder that `TMPDIR` names, else in `/var/tmp`. It takes as much room as was written, in blocks; zeroing and trimming
 * give it back. As nothing of it outlives the process, flush and FUA have nothing to do.
 *
 * @throws DiskError EINVAL when an option is not as it should be
 * @example Boot from an image that stays as it is
 * ```ts
 * await using server = await serve(pipe(file("disk.img"), cow()));
 * ```
 */
export function cow(options: CowOptions = {}): Filter {
  const blockSize = parseBlockSize(options.blockSize ?? "64k", "blockSize of cow", SMALLEST, LARGEST);
  const { onCache = false } = options;
  if (typeof onCache !== "boolean") throw new DiskError("EINVAL", `onCache of cow ${String(onCache)}: expected true or false`);
  const copyOnRead = parseFileSwitch(options.onRead ?? false, "onRead of cow");

  return (next) => {
    const overlays = new Map<string, Overlay>();
    let file: BlockFile | undefined;

    const overlayOf = (disk: Disk, { exportName }: OpenRequest): Overlay => {
      const kept = overlays.get(exportName);
      if (kept?.size === disk.size) return kept;
      if (kept !== undefined) {
        throw new DiskError("EINVAL", `the disk below cow had ${kept.size} bytes and has ${disk.size} now: it must not be resized`);
      }
      if (file === undefined) throw new Error("cow is used before it was started");
      const overlay = new Overlay(disk.size, file);
      overlays.set(exportName, overlay);
      return overlay;
    };

    return filter("cow", (disk, request) => overrides(disk, overlayOf(disk, request), request.signal, { blockSize, onCache, copyOnRead }), {
      start() {
        file = new BlockFile(openTemporaryFile("the overlay of cow"), blockSize);
      },
      open: (below, request) => below.open(readonlyRequest(request)),
      async close() {
        const closing = file;
        file = undefined;
        overlays.clear();
        await closing?.close();
      },
    })(next);
  };
}

interface Settings {
  readonly blockSize: number;
  readonly onCache: boolean;
  copyOnRead(): boolean;
}

function overrides(disk: Disk, overlay: Overlay, signal: AbortSignal, settings: Settings): Overrides {
  const { onCache, copyOnRead } = settings;
  /** Copies up what it can: what cannot be read or kept is read from below, and fails there if it must. */
  const copiedUp = (offset: bigint, length: bigint): Promise<void> => overlay.copyUp(disk, offset, length, signal).catch(() => undefined);
  const canCache = disk.capabilities.cache !== "none";

  return {
    blockSize: blockSizeOver(disk, settings.blockSize, "cow"),
    // What they say of the disk below is not true of what was written.
    contexts: [],
    traits: {
      readonly: false,
      fua: "native",
      fastZero: true,
      trimZeroes: true,
      multiConn: true,
      cache: onCache ? "native" : disk.capabilities.cache,
    },
    read(target, offset) {
      if (copyOnRead() && !overlay.kept(offset, BigInt(target.length)))
        return copiedUp(offset, BigInt(target.length)).then(() => overlay.read(disk, target, offset));
      return overlay.read(disk, target, offset);
    },
    ...(disk.views && { views: (offset: bigint, length: number) => (copyOnRead() ? undefined : overlay.views(disk, offset, length)) }),
    write: (source, offset) => overlay.write(disk, source, offset),
    trim: (offset, length) => overlay.zero(disk, offset, length),
    zero(offset, length, { noHole, fastZero }) {
      if (!noHole) return overlay.zero(disk, offset, length);
      if (fastZero) throw new DiskError("ENOTSUP", "cannot zero fast without a hole: the overlay has to write the zeroes");
      return slices(
        offset,
        length,
        disk.blockSize,
        (zeroes, at) => overlay.write(disk, zeroes, at),
        () => signal.throwIfAborted(),
      );
    },
    extents: (offset, length, flags) => overlay.extents(disk, offset, length, flags),
    cache(offset, length) {
      if (onCache) return overlay.copyUp(disk, offset, length, signal);
      return canCache ? overlay.eachBelow(offset, length, disk.cache) : undefined;
    },
    flush: () => undefined,
  };
}
