// Block sizes of filters that keep blocks.

import type { BlockSize } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { parseSize, type Size } from "../contract/size.ts";

/**
 * Reads the size of blocks: a power of two in a range.
 *
 * @param name - what it is the size of, for the error's text
 * @throws DiskError EINVAL when it is no such size
 */
export function parseBlockSize(value: Size, name: string, smallest: number, largest: number): number {
  const size = Number(parseSize(value, name));
  if (size >= smallest && size <= largest && Number.isInteger(Math.log2(size))) return size;
  throw new DiskError("EINVAL", `${name} ${String(value)}: expected a power of two from ${smallest} to ${largest} bytes`);
}

/**
 * The block sizes of a disk of which whole blocks are kept: it prefers those, and takes as little and as much as the disk below does.
 *
 * @throws DiskError EINVAL when the disk below takes whole multiples of more than a block only
 */
export function blockSizeOver(disk: Disk, blockSize: number, name: string): BlockSize {
  const { minimum = 1, preferred = 512, maximum = 0xffffffff } = disk.blockSize ?? {};
  if (minimum > blockSize) {
    throw new DiskError("EINVAL", `blocks of ${blockSize} bytes are too small for ${name}: the disk below takes no less than ${minimum}`);
  }
  return { minimum, preferred: blockSize > preferred && blockSize <= maximum ? blockSize : preferred, maximum };
}
