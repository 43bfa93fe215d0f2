// A client's view of a disk that is composed of others.

import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { BlockSize, Connection, Extent, Traits } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { DiskError } from "../../contract/error.ts";
import { everyStep } from "../../contract/every-step.ts";
import type { ExtentFlags, WriteFlags } from "../../contract/flags.ts";
import { MAX_SIZE } from "../../contract/size.ts";
import { together } from "../../contract/together.ts";
import { Layout, type Part, type Stretch } from "./layout.ts";

/**
 * Makes a disk of parts that lie one after the other. Requests go to the disks that they meet, in parallel where there are several. It can be
 * written where all of its disks can; what changes bytes that are of no disk fails with EIO, unless they stay as they are.
 *
 * @param parts - in order, without gaps, from 0 on
 * @param disks - those of the parts; they are closed with the connection
 * @throws DiskError EINVAL when the parts make no disk
 */
export function composedConnection(parts: readonly Part[], disks: readonly Disk[]): Connection {
  const layout = new Layout(parts);
  if (layout.size > MAX_SIZE) throw new DiskError("EINVAL", `together the disks have ${layout.size} bytes: at most 2^63-1 are possible`);
  const can = (what: (disk: Disk) => boolean): boolean => disks.every(what);
  const writable = can(({ capabilities }) => capabilities.write);

  return {
    size: layout.size,
    blockSize: blockSizeOf(parts),
    traits: traitsOf(disks, writable),
    read(target, offset) {
      const part = layout.within(offset, target.length);
      if (part?.disk !== undefined) return part.disk.read(target, offset - part.offset);
      return each(layout.stretches(offset, BigInt(target.length)), (stretch) => readStretch(stretch, piece(target, stretch)));
    },
    ...(disks.some(({ views }) => views !== undefined) && {
      views(offset, length) {
        const part = layout.within(offset, length);
        return part?.disk?.views?.(offset - part.offset, length);
      },
    }),
    ...(disks.some(({ room }) => room !== undefined) && {
      room(offset, length) {
        const part = layout.within(offset, length);
        return part?.disk?.room?.(offset - part.offset, length);
      },
    }),
    ...(writable && changing(layout, disks)),
    extents: (offset, length, flags) => listExtents(layout.stretches(offset, length), flags),
    ...(can(({ capabilities }) => capabilities.cache === "native") && {
      cache: (offset, length) => each(layout.stretches(offset, length), ({ part, at, length: bytes }) => part.disk?.cache(at, bytes)),
    }),
    close: () => everyStep(...disks.map((disk) => disk.close)),
  };
}

function changing(layout: Layout, disks: readonly Disk[]): Partial<Connection> {
  return {
    write(source, offset, flags) {
      const part = layout.within(offset, source.length);
      if (part?.disk !== undefined) return part.disk.write(source, offset - part.offset, flags);
      const stretches = layout.stretches(offset, BigInt(source.length));
      for (const stretch of stretches) checkUnchanged(stretch, piece(source, stretch));
      return each(stretches, (stretch) => stretch.part.disk?.write(piece(source, stretch), stretch.at, flags));
    },
    flush: () => each(disks, (disk) => disk.flush()),
    ...(disks.some(({ capabilities }) => capabilities.trim) && {
      // Trimming is a wish: what cannot be trimmed stays.
      trim: (offset: bigint, length: bigint, flags: WriteFlags) =>
        each(layout.stretches(offset, length), ({ part: { disk }, at, length: bytes }) =>
          disk?.capabilities.trim ? disk.trim(at, bytes, flags) : undefined,
        ),
    }),
    zero(offset, length, flags) {
      const stretches = layout.stretches(offset, length);
      for (const stretch of stretches) checkUnchanged(stretch, undefined);
      return each(stretches, ({ part, at, length: bytes }) => part.disk?.zero(at, bytes, flags));
    },
  };
}

/** Calls `step` for each, and waits for all that answer later; synchronous when all of them are. */
function each<T>(items: readonly T[], step: (item: T) => Awaitable<void>): Awaitable<void> {
  const waits: PromiseLike<void>[] = [];
  for (const item of items) {
    try {
      const done = step(item);
      if (isPromise(done)) waits.push(done);
    } catch (error) {
      if (waits.length === 0) throw error;
      // Those under way must end before the request does.
      waits.push(Promise.reject(error));
      break;
    }
  }
  return waits.length === 0 ? undefined : together(waits);
}

/** The bytes of a request that are of a stretch. */
function piece(bytes: Uint8Array, { from, length }: Stretch): Uint8Array {
  return bytes.subarray(Number(from), Number(from + length));
}

function readStretch({ part, at }: Stretch, target: Uint8Array): Awaitable<void> {
  if (part.disk !== undefined) return part.disk.read(target, at);
  if (part.bytes === undefined) target.fill(0);
  else target.set(part.bytes.subarray(Number(at), Number(at) + target.length));
  return undefined;
}

/**
 * Throws when bytes that are of no disk would change.
 *
 * @param source - what is to be there; absent: zeroes
 */
function checkUnchanged({ part, at, length }: Stretch, source: Uint8Array | undefined): void {
  if (part.disk !== undefined || (part.bytes === undefined && source === undefined)) return;
  const kept = part.bytes?.subarray(Number(at), Number(at + length));
  const difference = firstDifference(kept, source, Number(length));
  if (difference === -1) return;
  throw new DiskError("EIO", `${part.name} cannot be changed: it is made up, and of no disk`, {
    offset: part.offset + at + BigInt(difference),
  });
}

/** Either side may be absent: zeroes. */
function firstDifference(a: Uint8Array | undefined, b: Uint8Array | undefined, length: number): number {
  for (let i = 0; i < length; i += 1) if ((a?.[i] ?? 0) !== (b?.[i] ?? 0)) return i;
  return -1;
}

/** Lists the extents of one part after the other, for as long as each is told to its end. */
function listExtents(stretches: readonly Stretch[], flags: ExtentFlags): Awaitable<Extent[]> {
  const list: Extent[] = [];
  const from = (index: number): Awaitable<Extent[]> => {
    for (let i = index; i < stretches.length; i += 1) {
      const stretch = stretches[i] as Stretch;
      const extents = extentsOf(stretch, flags);
      if (isPromise(extents)) return extents.then((arrived) => (add(stretch, arrived) ? from(i + 1) : list));
      if (!add(stretch, extents)) return list;
    }
    return list;
  };
  /** False when there is no more to be told now. */
  const add = ({ part, at, length }: Stretch, extents: readonly Extent[]): boolean => {
    for (const extent of extents) list.push({ ...extent, offset: extent.offset + part.offset });
    const last = extents.at(-1);
    return !flags.reqOne && last !== undefined && last.offset + last.length >= at + length && list.length < MOST_EXTENTS;
  };
  return from(0);
}

const MOST_EXTENTS = 1024;

/** Offsets are those of the part. */
function extentsOf({ part, at, length }: Stretch, flags: ExtentFlags): Awaitable<readonly Extent[]> {
  if (part.disk !== undefined) return part.disk.extents(at, length, flags);
  const empty = part.bytes === undefined;
  return [{ offset: at, length, hole: empty, zero: empty }];
}

/** What suits all of the disks, wherever they lie. */
function blockSizeOf(parts: readonly Part[]): BlockSize {
  let blockSize: BlockSize = { minimum: 1, preferred: 4096, maximum: 0xffffffff };
  for (const { name, disk, offset } of parts) {
    if (disk?.blockSize === undefined) continue;
    const { minimum, preferred, maximum } = disk.blockSize;
    if (offset % BigInt(minimum) !== 0n || disk.size % BigInt(minimum) !== 0n)
      throw new DiskError("EINVAL", `${name} cannot lie at ${offset}, for ${disk.size} bytes: it has blocks of ${minimum} bytes`);
    blockSize = {
      minimum: Math.max(minimum, blockSize.minimum),
      preferred: Math.max(preferred, blockSize.preferred),
      maximum: Math.min(maximum, blockSize.maximum),
    };
  }
  // All of them are powers of two but the maximum.
  const { minimum, preferred, maximum } = blockSize;
  if (maximum < preferred) throw new DiskError("EINVAL", `one disk takes at most ${maximum} bytes at a time, another wants ${preferred}`);
  return maximum === 0xffffffff ? blockSize : { ...blockSize, maximum: maximum - (maximum % minimum) };
}

function traitsOf(disks: readonly Disk[], writable: boolean): Partial<Traits> {
  const all = (what: (capabilities: Disk["capabilities"]) => boolean): boolean => disks.every(({ capabilities }) => what(capabilities));
  return {
    multiConn: all(({ multiConn }) => multiConn),
    rotational: disks.some(({ capabilities }) => capabilities.rotational),
    ...(writable && {
      // Each disk heeds the flags, or emulates them.
      fua: all(({ fua }) => fua !== "none") ? "native" : "emulate",
      fastZero: all(({ fastZero }) => fastZero),
      trimZeroes: false,
    }),
  };
}
