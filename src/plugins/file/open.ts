// Opening files and block devices, and what is found out about them at that time.

import { type BigIntStats, constants, close as fsClose, fstat as fsFstat, open as fsOpen, stat as fsStat, writeSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { DiskError, errorCode } from "../../contract/error.ts";
import { failAfter } from "../../contract/every-step.ts";
import { type BlockDevice, native } from "../../native/index.ts";
import { endOfDevice } from "./end-of-device.ts";
import { readInto } from "./read.ts";

const open = promisify(fsOpen);
const close = promisify(fsClose);
const stat = promisify(fsStat) as (path: string, options: { bigint: true }) => Promise<BigIntStats>;
const fstat = promisify(fsFstat) as (fd: number, options: { bigint: true }) => Promise<BigIntStats>;

/** An open file or block device. */
export interface OpenFile {
  readonly fd: number;
  /** Bytes. */
  readonly size: bigint;
  readonly writable: boolean;
  /** The unit that the file system prefers, in bytes. */
  readonly blockSize: number;
  /** What kind of file system a regular file is on, if that is known. */
  readonly fileSystem: FileSystem | undefined;
  /** What the kernel says of a block device; `false`: it is a regular file, `true`: a block device of which no more is known. */
  readonly device: BlockDevice | boolean;
  close(): Promise<void>;
}

/** `memory`: no call waits for storage. `local`: asking for metadata does not wait for another machine. */
export type FileSystem = "memory" | "local";

/** Errors of opening for writing after which opening for reading may succeed. */
const unwritable: readonly string[] = ["EACCES", "EPERM", "EROFS", "ETXTBSY"];

/**
 * Checks that there is something at `path` that can be served.
 *
 * @throws Error saying what is there instead
 */
export async function checkFile(path: string): Promise<void> {
  checkKind(await stat(path, { bigint: true }), path);
}

/** Opens a file: for reading alone when that is asked for, or when it may not be written. */
export async function openPath(path: string, readonly: boolean): Promise<OpenFile> {
  // Opening a pipe would wait for its other end.
  await checkFile(path);
  const { fd, writable } = await openForWriting(path, readonly);
  try {
    return await describeOpen(fd, path, writable, () => close(fd));
  } catch (error) {
    return failAfter(error, () => close(fd));
  }
}

/** Takes a file descriptor that is open already, and leaves it open. */
export function openDescriptor(fd: number, readonly: boolean): Promise<OpenFile> {
  return describeOpen(fd, `file descriptor ${fd}`, !readonly && isWritable(fd), async () => undefined);
}

async function openForWriting(path: string, readonly: boolean): Promise<{ readonly fd: number; readonly writable: boolean }> {
  const flags = constants.O_NONBLOCK ?? 0;
  if (!readonly) {
    try {
      return { fd: await open(path, constants.O_RDWR | flags), writable: true };
    } catch (error) {
      if (!unwritable.includes(errorCode(error))) throw error;
    }
  }
  return { fd: await open(path, constants.O_RDONLY | flags), writable: false };
}

async function describeOpen(fd: number, name: string, writable: boolean, close: () => Promise<void>): Promise<OpenFile> {
  const about = await fstat(fd, { bigint: true });
  checkKind(about, name);
  const common = { fd, writable, close };
  if (!about.isBlockDevice()) {
    return { ...common, size: about.size, blockSize: Number(about.blksize), fileSystem: await fileSystemOf(fd), device: false };
  }
  const device = native()?.blockDevice(fd);
  const size = device?.size ?? (await endOfDevice((target, offset) => readInto(fd, target, 0, offset)));
  return { ...common, size, blockSize: device?.physicalBlockSize ?? 512, fileSystem: undefined, device: device ?? true };
}

function checkKind(about: BigIntStats, name: string): void {
  if (about.isFile() || about.isBlockDevice()) return;
  const kind = about.isDirectory()
    ? "a folder (dir= serves each of its files)"
    : about.isFIFO()
      ? "a pipe"
      : about.isSocket()
        ? "a socket"
        : "a character device";
  throw Object.assign(new Error(`${name} is ${kind}: expected a regular file or a block device`), { code: "EINVAL" });
}

/** A write of nothing is refused where writing is. */
function isWritable(fd: number): boolean {
  try {
    writeSync(fd, new Uint8Array(0), 0, 0, 0);
    return true;
  } catch (error) {
    if (errorCode(error) === "EBADF") return false;
    throw error;
  }
}

/** The numbers of linux/magic.h. */
const fileSystems: Readonly<Record<number, FileSystem>> = {
  16914836: "memory", // tmpfs
  2240043254: "memory", // ramfs
  61267: "local", // ext2, ext3, ext4
  1481003842: "local", // XFS
  2435016766: "local", // Btrfs
  4076150800: "local", // F2FS
  3393526350: "local", // bcachefs
  801189825: "local", // ZFS
};

async function fileSystemOf(fd: number): Promise<FileSystem | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    // Of the very file: other ones may be at its path by now.
    const { type } = await statfs(`/proc/self/fd/${fd}`);
    return fileSystems[type];
  } catch {
    // Without /proc nothing is known of it.
    return undefined;
  }
}

/** Refuses a folder's file in the words for a client. */
export function noExport(name: string): DiskError {
  return new DiskError("ENOENT", `there is no disk named ${JSON.stringify(name)} here`);
}
