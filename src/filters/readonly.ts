// The readonly filter: a disk that cannot be written, always or while something says so.

import { existsSync } from "node:fs";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/** When {@link readonly} refuses writes. Without any of these: always. */
export interface ReadonlyOptions {
  /** While there is a file of this path. It is looked for at each write. */
  readonly file?: string;
  /** While this answers true. It is asked at each write. */
  readonly when?: () => boolean;
}

/**
 * Makes a disk read-only: for good, so that clients are told so, or from time to time, so that writes meanwhile fail with EPERM.
 *
 * @example
 * ```ts
 * const disk = pipe(memory("1G"), readonly());
 * ```
 * @example An app's switch
 * ```ts
 * let locked = false;
 * const disk = pipe(memory("1G"), readonly({ when: () => locked }));
 * ```
 */
export function readonly(options: ReadonlyOptions = {}): Filter {
  const { file, when } = options;
  if (file !== undefined && (typeof file !== "string" || file === "")) throw new DiskError("EINVAL", "file: expected a path");
  if (when !== undefined && typeof when !== "function") throw new DiskError("EINVAL", "when: expected a function");
  if (file === undefined && when === undefined) return filter("readonly", () => ({ traits: { readonly: true } }));

  const check = (operation: string): void => {
    if (when?.() || (file !== undefined && existsSync(file)))
      throw new DiskError("EPERM", `cannot ${operation}: the disk is read-only at the moment`);
  };
  return filter("readonly", (disk) => {
    const can = disk.capabilities;
    // No room is lent: what arrives in it is on the disk before its write can be refused.
    return {
      traits: { trimZeroes: can.trimZeroes },
      write(source, offset, flags) {
        check("write");
        return disk.write(source, offset, flags);
      },
      ...(can.trim && {
        trim(offset, length, flags) {
          check("trim");
          return disk.trim(offset, length, flags);
        },
      }),
      ...(can.zero && {
        zero(offset, length, flags) {
          check("zero");
          return disk.zero(offset, length, flags);
        },
      }),
    };
  });
}
