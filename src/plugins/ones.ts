// The ones plugin: a disk on which every byte is the same, and what is written is thrown away.

import { blank } from "../common/blank.ts";
import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

/** What {@link ones} is full of. */
export interface OnesOptions {
  /** The byte, 0 to 255. Default: 255, all bits set. */
  readonly byte?: number;
}

const forget = (): void => undefined;

/**
 * A disk on which every byte is the same: all ones unless told otherwise. What is written is thrown away.
 *
 * @param size - 0 to 2^63-1 bytes. Default: 0
 * @throws DiskError EINVAL when the size is none, or the byte
 * @example
 * ```ts
 * await using disk = await openDisk(ones("1G", { byte: 0x55 }));
 * ```
 */
export function ones(size: Size = 0n, options: OnesOptions = {}): Plugin {
  const { byte = 0xff } = options;
  if (!Number.isInteger(byte) || byte < 0 || byte > 255) throw new DiskError("EINVAL", `byte ${String(byte)}: expected 0 to 255`);
  const read = blank(parseSize(size), byte);
  const connection: Connection = { ...read, traits: { ...read.traits, fua: "native" }, write: forget, flush: forget, trim: forget };
  return { name: "ones", open: () => connection };
}
