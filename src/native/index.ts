// The one seam to system calls that Node lacks, through koffi where that is installed. Everything else has to be correct without it.

import { bind } from "./linux.ts";
import { loadKoffi } from "./load.ts";

/**
 * System calls on file descriptors. Ranges are bytes. A call fails with an error that has the code and the text of Node's own; what the file system
 * or device cannot do fails with ENOTSUP. What may wait for storage answers with a promise and runs on another thread.
 */
export interface Native {
  /** Makes a range of a file a hole: it reads as zeroes and takes no space. The file keeps its size. */
  punchHole(fd: number, offset: bigint, length: bigint): Promise<void>;
  /** Makes a range of a file read as zeroes and stay allocated, without writing it. The file keeps its size. */
  zeroRange(fd: number, offset: bigint, length: bigint): Promise<void>;
  /** Allocates space for a range of a file; what it reads as stays. */
  allocate(fd: number, offset: bigint, length: bigint): Promise<void>;
  /** Discards a range of a block device, aligned to its logical blocks; what it reads as afterwards is up to the device. */
  discard(fd: number, offset: bigint, length: bigint): Promise<void>;
  /** Zeroes a range of a block device, aligned to its logical blocks; the kernel writes where the device has no better way. */
  zeroOut(fd: number, offset: bigint, length: bigint): Promise<void>;

  /** The first byte at or after `offset` that is data; `undefined` when there is none. May wait for the file system's metadata. */
  seekData(fd: number, offset: bigint): bigint | undefined;
  /** The first byte at or after `offset` that is a hole, which is at the latest the end of the file; `undefined` past that. May wait as {@link Native.seekData}. */
  seekHole(fd: number, offset: bigint): bigint | undefined;
  /** {@link Native.seekData} on another thread: for file systems that may be slow to answer. */
  seekDataLater(fd: number, offset: bigint): Promise<bigint | undefined>;
  /** {@link Native.seekHole} on another thread. */
  seekHoleLater(fd: number, offset: bigint): Promise<bigint | undefined>;

  /**
   * Reads what is in the page cache already, from `offset`: how many bytes of `target` were filled, 0 at the end of the file, `undefined` when
   * the first byte would have to be waited for. Never waits. Throws ENOTSUP where the file system cannot do that.
   */
  preadNowait(fd: number, target: Uint8Array, offset: number | bigint): number | undefined;
  /** Writes into the page cache as far as that is possible without waiting: how many bytes, or `undefined`. Throws ENOTSUP as {@link Native.preadNowait}. */
  pwriteNowait(fd: number, source: Uint8Array, offset: number | bigint): number | undefined;
  /** Writes at an offset that Node's own functions cannot take, 2^53 or more: how many bytes. */
  pwrite(fd: number, source: Uint8Array, offset: bigint): Promise<number>;
  /** Tells the kernel how a range will be used; a length of 0 means to the end of the file. */
  advise(fd: number, offset: bigint, length: bigint, advice: Advice): Promise<void>;

  /** What the kernel says of a block device. */
  blockDevice(fd: number): BlockDevice;
  /** Who is at the other end of a unix socket. */
  peerCredentials(fd: number): PeerCredentials;
  /** How many bytes may lie in a socket until the other end takes them; the kernel takes what it allows at most. */
  sendBuffer(fd: number, bytes: number): void;
}

/** How a range of a file will be used, in the words of posix_fadvise(2). */
export type Advice = "normal" | "random" | "sequential" | "willneed" | "dontneed" | "noreuse";

/** A block device; sizes are bytes. */
export interface BlockDevice {
  readonly size: bigint;
  /** The smallest unit that the device takes. */
  readonly logicalBlockSize: number;
  /** The smallest unit that it writes without reading first. */
  readonly physicalBlockSize: number;
  /** The unit that it prefers; 0 when it does not say. */
  readonly optimalSize: number;
  /** Seeking costs time. */
  readonly rotational: boolean;
}

/** The process that connected to a unix socket. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

let loaded: { readonly native: Native | undefined } | undefined;

/** The system calls, when koffi is installed and this is Linux on a 64-bit machine; loaded when first asked for. Never throws. */
export function native(): Native | undefined {
  loaded ??= { native: load() };
  return loaded.native;
}

function load(): Native | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return bind(loadKoffi());
  } catch {
    // Not installed, or not made for this machine.
    return undefined;
  }
}
