// The blocksize filter: requests of any alignment and length for disks that want whole blocks, and not too many at once.

import { RangeLocks } from "../common/range-locks.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { MAX_SIZE, parseSize, type Size } from "../contract/size.ts";
import { Aligned, type BlockLimits } from "./blocksize/aligned.ts";

/** What the disk below is asked for by {@link blocksize}. */
export interface BlocksizeOptions {
  /**
   * Requests are multiples of so many bytes: a power of two, at most 64 KiB. Default: the smallest block of the disk below, which also counts where it is
   * larger than this.
   */
  readonly minblock?: Size;
  /** Bytes to read or write at once, a multiple of `minblock`. Default: the largest request of the disk below, at most 64 MiB. */
  readonly maxdata?: Size;
  /** Bytes to zero, trim, cache or list the extents of at once, a multiple of `minblock`. Default: any number. */
  readonly maxlen?: Size;
}

const LARGEST_BLOCK = 65_536n;
const LARGEST_DATA = 64n * 1024n * 1024n;

/**
 * Makes requests fit the disk below. Longer ones are split, several pieces being under way at once. Of a write or zeroing that does not begin or end
 * with a block, that block is read, changed and written; others that write to it wait meanwhile. Of a trim, parts of blocks are left as they
 * are. The size is rounded down to whole blocks.
 *
 * @throws DiskError EINVAL when an option is not as it should be
 * @example A disk that takes 4 KiB blocks only, for clients that do not know that
 * ```ts
 * const disk = pipe(myCoarseDisk, blocksize({ minblock: "4k" }));
 * ```
 */
export function blocksize(options: BlocksizeOptions = {}): Filter {
  const parse = (name: keyof BlocksizeOptions): bigint | undefined => {
    const value = options[name];
    if (value === undefined) return undefined;
    const size = parseSize(value, `${name} of blocksize`);
    if (size === 0n) throw new DiskError("EINVAL", `${name} of blocksize ${String(value)}: expected at least 1`);
    return size;
  };
  const asked = { minblock: parse("minblock"), maxdata: parse("maxdata"), maxlen: parse("maxlen") };
  const { minblock = 1n } = asked;
  if (minblock > LARGEST_BLOCK || (minblock & (minblock - 1n)) !== 0n) {
    throw new DiskError("EINVAL", `minblock of blocksize ${minblock}: expected a power of two from 1 to 65536`);
  }
  for (const name of ["maxdata", "maxlen"] as const) checkMultiple(name, asked[name], minblock, "minblock");

  return (next) => {
    const locks = new Map<string, RangeLocks>();
    return filter("blocksize", (disk, { exportName, signal }) => {
      const limits = limitsOver(disk, asked);
      const shared = locks.get(exportName) ?? new RangeLocks();
      locks.set(exportName, shared);
      return overrides(disk, new Aligned(disk, limits, shared, signal), limits);
    })(next);
  };
}

function limitsOver(disk: Disk, asked: { readonly [K in keyof BlockLimits]: bigint | undefined }): BlockLimits {
  const smallest = BigInt(disk.blockSize?.minimum ?? 1);
  const minblock = asked.minblock !== undefined && asked.minblock > smallest ? asked.minblock : smallest;
  for (const name of ["maxdata", "maxlen"] as const) checkMultiple(name, asked[name], minblock, "the smallest block of the disk below");
  const most = BigInt(disk.blockSize?.maximum ?? LARGEST_DATA);
  let maxdata = asked.maxdata ?? LARGEST_DATA;
  if (maxdata > most) maxdata = most & ~(minblock - 1n);
  return { minblock, maxdata: maxdata === 0n ? minblock : maxdata, maxlen: asked.maxlen ?? MAX_SIZE & ~(minblock - 1n) };
}

function checkMultiple(name: string, value: bigint | undefined, minblock: bigint, what: string): void {
  if (value === undefined || value % minblock === 0n) return;
  throw new DiskError("EINVAL", `${name} of blocksize ${value}: expected a multiple of ${what} (${minblock})`);
}

function overrides(disk: Disk, aligned: Aligned, { minblock }: BlockLimits): Overrides {
  const { capabilities: can, views, room } = disk;
  const preferred = Math.max(disk.blockSize?.preferred ?? 4096, Number(minblock));
  return {
    size: aligned.size,
    blockSize: { minimum: 1, preferred, maximum: 0xffffffff },
    // A trim that leaves the parts of blocks does not make zeroes of them.
    traits: { trimZeroes: can.trimZeroes && minblock === 1n },
    contexts: disk.contexts.map(({ name, extents }) => ({ name, extents: aligned.listed(extents) })),
    read: (target, offset) => aligned.read(target, offset),
    ...(views && { views: (offset: bigint, length: number) => (aligned.fits(offset, BigInt(length)) ? views(offset, length) : undefined) }),
    ...(room && { room: (offset: bigint, length: number) => (aligned.fits(offset, BigInt(length)) ? room(offset, length) : undefined) }),
    write: (source, offset, flags) => aligned.write(source, offset, flags),
    trim: can.trim ? (offset, length, flags) => aligned.trim(offset, length, flags) : undefined,
    // A disk that cannot zero is written to, in pieces that it takes.
    zero: can.zero ? (offset, length, flags) => aligned.zero(offset, length, flags) : undefined,
    extents: can.extents ? aligned.listed(disk.extents) : undefined,
    ...(can.cache === "native" && { cache: (offset, length) => aligned.cache(offset, length) }),
  };
}
