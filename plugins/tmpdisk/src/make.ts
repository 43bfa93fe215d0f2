// Makes a disk: a file, formatted, and by then without a name.

import { close, closeSync, constants, fstat, ftruncateSync, open, openSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { DiskError, unlessAborted } from "diskwright";
import { findProgram, mkfsFor, searchPath } from "./mkfs.ts";
import type { Format, Settings } from "./options.ts";
import { run } from "./run.ts";
import { makeFolder, opensDescriptors, openUnnamed, temporaryFolder } from "./temporary.ts";

/** A disk that has been made. Nobody but us can open it any more. */
export interface Made {
  readonly fd: number;
  /** Bytes. */
  readonly size: bigint;
  /** Closes the file, which is the end of it. */
  close(): Promise<void>;
}

/** Makes a disk; rejects with the signal's reason, with everything put away, when that is aborted first. */
export type Maker = (signal: AbortSignal) => Promise<Made>;

/**
 * Chooses how disks are made.
 *
 * @throws Error when the program for it is not there
 */
export function makerFor(settings: Settings): Maker {
  const { size, type, label, params, command, parameters, format } = settings;
  const folder = settings.directory ?? temporaryFolder();
  const env = { PATH: searchPath() };
  if (format !== undefined) return (signal) => inFolder(folder, size, (path) => formatted(format, path, size, signal));
  if (command !== undefined) {
    const variables = { ...env, size: `${size}`, type, label, ...parameters };
    return (signal) =>
      inFolder(folder, undefined, (path, parent) =>
        run("/bin/sh", ["-c", command], { what: "the command failed", env: { ...variables, disk: path }, folder: parent, signal }),
      );
  }
  const mkfs = mkfsFor(type ?? "ext4", label, params);
  const program = findProgram(mkfs.name);
  const what = `${mkfs.name} failed`;
  if (!mkfs.byDescriptor || !opensDescriptors) {
    return (signal) => inFolder(folder, size, (path, parent) => run(program, [...mkfs.args, path], { what, env, folder: parent, signal }));
  }
  return async (signal) => {
    const fd = openUnnamed(folder);
    try {
      ftruncateSync(fd, Number(size));
      await run(program, [...mkfs.args, "/proc/self/fd/3"], { what, env, descriptor: fd, signal });
      return await made(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  };
}

/**
 * Makes a disk of a file that has a name for so long.
 *
 * @param size - bytes of the sparse file that is there before; `undefined`: there is none
 */
async function inFolder(folder: string, size: bigint | undefined, make: (path: string, parent: string) => Promise<void>): Promise<Made> {
  const parent = await makeFolder(folder);
  // An open file outlives its name, which nobody else is to find.
  const remove = (): Promise<void> => rm(parent, { recursive: true, force: true, maxRetries: 3 });
  let disk: Made;
  try {
    const path = join(parent, "disk");
    if (size !== undefined) createSparse(path, size);
    await make(path, parent);
    await checkMade(path);
    disk = await made(await promisify(open)(path, constants.O_RDWR | (constants.O_NONBLOCK ?? 0)));
  } catch (error) {
    // What went wrong first is what has to be known.
    await remove().catch(() => undefined);
    throw error;
  }
  try {
    await remove();
  } catch (error) {
    await disk.close();
    throw error;
  }
  return disk;
}

function createSparse(path: string, size: bigint): void {
  const fd = openSync(path, "wx", 0o600);
  try {
    ftruncateSync(fd, Number(size));
  } finally {
    closeSync(fd);
  }
}

/** Opening a pipe would wait for its other end. */
async function checkMade(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() || found?.isBlockDevice()) return;
  const what = found === undefined ? "there is nothing" : "there is neither a file nor a block device";
  throw Object.assign(new Error(`tmpdisk: it was to make a disk at "$disk", and ${what}`), { code: "EIO" });
}

async function made(fd: number): Promise<Made> {
  const { size } = await promisify(fstat)(fd, { bigint: true });
  let closing: Promise<void> | undefined;
  return {
    fd,
    size,
    close() {
      closing ??= promisify(close)(fd);
      return closing;
    },
  };
}

/** Runs the app's function; one that does not heed the signal is not waited for. */
async function formatted(format: Format, path: string, size: bigint, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    const formatting = Promise.resolve().then(() => format(path, { size, signal }));
    await unlessAborted(formatting, signal);
  } catch (error) {
    // A function that gives up because of the signal may say so in its own words.
    signal.throwIfAborted();
    if (DiskError.is(error)) throw error;
    throw Object.assign(new Error(`tmpdisk: format failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error }), {
      code: (error as NodeJS.ErrnoException | undefined)?.code ?? "EIO",
    });
  }
}
