// Memory that the server shares with the thread or process in which the library runs. What is read or written is copied once, here.

import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Requests under way at once for one disk: while the library works on one, the others are made ready. */
export const SLOTS = 4;
/** Bytes of one of them, at most. VMware's transports take up to 2 MiB, but servers have run out of memory for that. */
export const SLOT: number = 1024 * 1024;
const SIZE: number = SLOTS * SLOT;

/** The server's side of the memory. */
export interface SharedMemory {
  /** Copies from the memory into `target`. */
  read(target: Uint8Array, at: number): void;
  /** Copies `source` into the memory. */
  write(source: Uint8Array, at: number): void;
  close(): void;
}

/** With a thread of this process. */
export interface ThreadMemory extends SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

/** With another process: a file in memory, without a name. */
export interface FileMemory extends SharedMemory {
  readonly fd: number;
  readonly size: number;
}

/** Memory to be shared with a thread. */
export function threadMemory(): ThreadMemory {
  const buffer = new SharedArrayBuffer(SIZE);
  const bytes = new Uint8Array(buffer);
  return {
    buffer,
    read: (target, at) => target.set(bytes.subarray(at, at + target.length)),
    write: (source, at) => bytes.set(source, at),
    close: () => undefined,
  };
}

/** Memory to be shared with a process. */
export function fileMemory(): FileMemory {
  let fd: number;
  try {
    fd = allocate("/dev/shm");
  } catch {
    // It is not there, or full, as it often is in containers.
    fd = allocate(tmpdir());
  }
  return {
    fd,
    size: SIZE,
    read: (target, at) => whole(readSync(fd, target, 0, target.length, at), target.length),
    write: (source, at) => whole(writeSync(fd, source, 0, source.length, at), source.length),
    close: () => closeSync(fd),
  };
}

function allocate(folder: string): number {
  const path = join(folder, `diskwright-${randomUUID()}`);
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    unlinkSync(path);
    // All of it is there from the start: a process that touches memory for which there is no room is killed.
    whole(writeSync(fd, new Uint8Array(SIZE), 0, SIZE, 0), SIZE);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function whole(done: number, length: number): void {
  if (done !== length) throw new Error(`the shared memory took ${done} of ${length} bytes`);
}
