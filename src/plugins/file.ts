// The file plugin: a file or a block device as a disk, or each file of a folder as an export.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "../contract/assert-plugin.ts";
import { DiskError } from "../contract/error.ts";
import type { Plugin } from "../contract/plugin.ts";
import { connectionTo } from "./file/connection.ts";
import { checkFolder, listFolder, openInFolder } from "./file/folder.ts";
import { checkFile, openDescriptor, openPath } from "./file/open.ts";

/** How a {@link file} disk uses the system's page cache. The first two are hints that need koffi, on Linux; elsewhere they change nothing. */
export interface FileOptions {
  /** `none`: what has been read or written is not kept in the page cache, where other programs' pages would make way for it. Default: `default`. */
  readonly cache?: "default" | "none";
  /** How the file will be read: `sequential` reads further ahead, `random` not at all. Default: `normal`. */
  readonly fadvise?: "normal" | "random" | "sequential";
  /**
   * Writes of whole pages of 4 KiB, up to 512 KiB, to local file systems and block devices are made in the event loop rather than by a thread, which takes a
   * third less time or even half, as long as the page cache takes them at once. Where they have to wait for the disk they are left to the threads for a
   * second or more. Everything else in this process waits meanwhile: for ever if the file system is frozen, or if it lies on a disk that this very process serves to
   * its own machine. Right for a process that does little else. Default: false.
   */
  readonly inlineWrites?: boolean;
}

/** Where a {@link file} disk is, if not at a path. */
export type FileSource =
  | {
      /** A folder: each of its files and block devices is an export, also those that symbolic links in it lead to. */
      readonly dir: string | URL;
    }
  | {
      /** The file descriptor of an open folder (Linux). */
      readonly dirfd: number;
    }
  | {
      /**
       * The file descriptor of an open file or block device. It stays yours: close it once the plugin is closed. Where it stands in the file changes as
       * holes are looked for.
       */
      readonly fd: number;
    };

/**
 * A file or block device as a disk. It is opened for each client, so that a new client finds it as large as it is by then; where it may not be
 * written, and for clients that only read, it is opened for reading alone. The file's holes are the disk's.
 *
 * With koffi installed, on Linux, holes are found by asking the file system, trimming and zeroing punch holes, block devices are discarded, and
 * what is in the page cache is read without waiting. Without it, holes are found by reading, and zeroes are written.
 *
 * A folder's exports have the names of its files; the empty name is refused, and so is whatever is not directly in the folder.
 *
 * @param source - a path, a `file:` URL, a folder or a file descriptor
 * @throws TypeError when it is none of these, or an option is none
 * @example
 * ```ts
 * await using server = await serve(file("disk.img"));
 * ```
 * @example Each file of a folder
 * ```ts
 * await using server = await serve(file({ dir: "/var/lib/images" }));
 * ```
 */
export function file(source: string | URL | FileSource, options: FileOptions = {}): Plugin {
  const { cache = "default", fadvise = "normal", inlineWrites = false } = options;
  oneOf("cache", cache, ["default", "none"]);
  oneOf("fadvise", fadvise, ["normal", "random", "sequential"]);
  if (typeof inlineWrites !== "boolean") throw new TypeError(`file: inlineWrites ${describe(inlineWrites)}: expected true or false`);
  const how = { uncached: cache === "none", advice: fadvise, inlineWrites };

  const { path, dir, fd } = sourceOf(source);
  if (path !== undefined) {
    return {
      name: "file",
      start: () => checkFile(path),
      open: async ({ readonly }) => connectionTo(await openPath(path, readonly), how),
    };
  }
  if (dir !== undefined) {
    return {
      name: "file",
      start: () => checkFolder(dir),
      exports: () => listFolder(dir),
      open: async ({ exportName, readonly }) => connectionTo(await openInFolder(dir, exportName, readonly), how),
    };
  }
  return { name: "file", open: async ({ readonly }) => connectionTo(await openDescriptor(fd, readonly), how) };
}

/** Where the disk is: one of the three is there. */
type Where =
  | { readonly path: string; readonly dir?: undefined; readonly fd?: undefined }
  | { readonly path?: undefined; readonly dir: string; readonly fd?: undefined }
  | { readonly path?: undefined; readonly dir?: undefined; readonly fd: number };

function sourceOf(source: string | URL | FileSource): Where {
  if (typeof source === "string" || source instanceof URL) return { path: toPath(source) };
  const { dir, dirfd, fd } = (source ?? {}) as { dir?: string | URL; dirfd?: number; fd?: number };
  const given = [dir, dirfd, fd].filter((each) => each !== undefined).length;
  if (given !== 1)
    throw new TypeError(`file: expected a path, { dir }, { dirfd } or { fd }, not ${given === 0 ? describe(source) : "several of them"}`);
  if (dir !== undefined) return { dir: toPath(dir) };
  if (fd !== undefined) return { fd: checkDescriptor("fd", fd) };
  if (process.platform !== "linux") throw new DiskError("ENOTSUP", "file: dirfd needs Linux: use dir");
  return { dir: `/proc/self/fd/${checkDescriptor("dirfd", dirfd as number)}` };
}

function toPath(path: string | URL): string {
  if (path instanceof URL) return fileURLToPath(path);
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`file: ${typeof path === "string" ? JSON.stringify(path) : describe(path)} is no path`);
  }
  return resolve(path);
}

function checkDescriptor(name: string, fd: number): number {
  if (Number.isInteger(fd) && fd >= 0 && fd <= 0x7fffffff) return fd;
  throw new TypeError(`file: ${name} ${String(fd)}: expected the number of an open file descriptor`);
}

function oneOf(name: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) throw new TypeError(`file: ${name} ${JSON.stringify(value)}: expected ${values.join(", ")}`);
}
