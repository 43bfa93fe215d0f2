// The full plugin: a disk of zeroes whose every write fails for want of space.

import { blank } from "../common/blank.ts";
import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

/**
 * A disk that reads as zeroes and has no space left: whatever is to change it fails with ENOSPC, as on a sparse disk whose host is full.
 *
 * @param size - 0 to 2^63-1 bytes
 * @throws DiskError EINVAL when the size is none
 * @example
 * ```ts
 * await using disk = await openDisk(full("1G"));
 * ```
 */
export function full(size: Size): Plugin {
  const read = blank(parseSize(size), 0);
  const refuse = (): never => {
    throw new DiskError("ENOSPC", "the disk is full");
  };
  const connection: Connection = { ...read, traits: { ...read.traits, fastZero: true }, write: refuse, trim: refuse, zero: refuse };
  return { name: "full", open: () => connection };
}
