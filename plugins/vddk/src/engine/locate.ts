// Where the library is in a VDDK distribution, and what its version is.

import { readdirSync } from "node:fs";
import { join } from "node:path";

/** A library that was found. */
export interface Located {
  /** The distribution's folder, as the library wants to be told. */
  readonly libdir: string;
  /** The folder that the library and those that it needs are in. */
  readonly folder: string;
  /** The file. */
  readonly file: string;
  /** The major version, of the file's name. */
  readonly major: number;
}

/** Where nbdkit looks too. */
export const DEFAULT_LIBDIRS: readonly string[] = ["/usr/lib/vmware-vix-disklib", "/usr/lib64/vmware-vix-disklib"];

const OLDEST = 6;

/**
 * Looks for `libvixDiskLib.so.N` in `libdir/lib64` and in `libdir` itself; where there are several, takes the newest.
 *
 * @returns `undefined` when there is none
 */
export function locate(libdirs: readonly string[]): Located | undefined {
  for (const libdir of libdirs) {
    for (const folder of [join(libdir, "lib64"), libdir]) {
      const majors = list(folder)
        .map((name) => Number(/^libvixDiskLib\.so\.(\d+)$/.exec(name)?.[1] ?? 0))
        .filter((major) => major >= OLDEST);
      const major = Math.max(...majors);
      if (majors.length > 0) return { libdir, folder, file: join(folder, `libvixDiskLib.so.${major}`), major };
    }
  }
  return undefined;
}

/** The names of the files in a folder; none where there is no folder. */
export function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
