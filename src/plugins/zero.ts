// The zero plugin: a disk of no bytes.

import { blank } from "../common/blank.ts";
import type { Plugin } from "../contract/plugin.ts";

/**
 * A disk of no bytes that cannot be written: the corner case.
 *
 * @example
 * ```ts
 * await using disk = await openDisk(zeroDisk());
 * console.log(disk.size); // 0n
 * ```
 */
export function zeroDisk(): Plugin {
  return { name: "zero", open: () => blank(0n, 0) };
}
