// The null plugin: what is written is thrown away, and everything reads as zeroes.

import { blank } from "../common/blank.ts";
import type { Connection } from "../contract/connection.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

const forget = (): void => undefined;

/**
 * A disk that throws away what is written to it and reads as zeroes, as fast as anything can: for measuring what lies above it.
 *
 * @param size - 0 to 2^63-1 bytes. Default: 0
 * @throws DiskError EINVAL when the size is none
 * @example
 * ```ts
 * await using server = await serve(nullDisk("1T"));
 * ```
 */
export function nullDisk(size: Size = 0n): Plugin {
  const read = blank(parseSize(size), 0);
  const connection: Connection = {
    ...read,
    traits: { ...read.traits, fua: "native", fastZero: true, trimZeroes: true },
    write: forget,
    flush: forget,
    trim: forget,
    zero: forget,
  };
  return { name: "null", open: () => connection };
}
