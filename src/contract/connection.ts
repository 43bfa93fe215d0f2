// What an author writes: one client's view of a disk. Only `size` and `read` are required; a missing method is a missing capability.

import type { Awaitable } from "./awaitable.ts";
import type { ExtentFlags, WriteFlags, ZeroFlags } from "./flags.ts";

/**
 * One client's open disk, as a plugin's author writes it. Offsets, sizes and range lengths are `bigint` bytes; buffer lengths are
 * numbers. Any method may answer at once (`undefined`) or with a promise, and may throw or reject with anything: `err.code`
 * (`EIO EINVAL ENOSPC EPERM ENOTSUP ESHUTDOWN EOVERFLOW ENOMEM`) becomes the client's error, everything else is EIO.
 *
 * @example A read-only disk of 1 MiB that is full of the letter A
 * ```ts
 * const letters: Plugin = {
 *   name: "letters",
 *   open: () => ({
 *     size: 1024n * 1024n,
 *     read(target) {
 *       target.fill(0x41);
 *     },
 *   }),
 * };
 * ```
 */
export interface Connection {
  /** Bytes, 0 to 2^63-1; constant for as long as the connection is open. */
  readonly size: bigint;
  /** The block sizes that suit the disk; absent: nothing is said of them, any range is welcome. */
  readonly blockSize?: BlockSize;
  /** What the methods cannot say. */
  readonly traits?: Partial<Traits>;
  /** A text for people about what this disk is; at most 4096 bytes of UTF-8. */
  readonly description?: string;
  /** Block-status contexts beside `base:allocation`: changed blocks, checksums and the like. */
  readonly contexts?: readonly Context[];

  /**
   * Fills `target` with the bytes at `offset`: all of it, or fail. The buffer is yours until the answer and not a moment longer.
   */
  read(target: Uint8Array, offset: bigint): Awaitable<void>;
  /**
   * Lends the bytes at `offset` without copying them, as pieces that add up to `length`, or answers `undefined` where it cannot.
   * Only an acceleration: it must agree with {@link Connection.read | read}. Lent bytes are only read, until the reply is sent.
   */
  views?(offset: bigint, length: number): readonly Uint8Array[] | undefined;
  /**
   * Lends the place in the disk's own memory where a write's bytes are to go, in one piece, or answers `undefined` where it cannot: a
   * server receives them straight into it and then calls {@link Connection.write | write} with it as the source, which need not copy. Only
   * an acceleration. Until that write is answered the range holds whatever has arrived of it, also when the client vanishes midway.
   */
  room?(offset: bigint, length: number): Uint8Array | undefined;
  /** Writes `source` at `offset`. The buffer is yours until the answer, and must not be changed. */
  write?(source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void>;
  /** Returns once every write that was answered before is on stable storage. */
  flush?(): Awaitable<void>;
  /** The range is not needed any more; what it reads as afterwards is up to the disk. */
  trim?(offset: bigint, length: bigint, flags: WriteFlags): Awaitable<void>;
  /** Makes the range read as zeroes. Failing with ENOTSUP makes the caller write zeroes instead (not with `flags.fastZero`). */
  zero?(offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void>;
  /**
   * Lists which parts of the range are holes or read as zeroes, ascending and disjoint. What lies between two extents, or before
   * the first, is data; the list may end before the range does, and an empty one says that all of it is data.
   */
  extents?(offset: bigint, length: bigint, flags: ExtentFlags): Awaitable<Iterable<Extent> | AsyncIterable<Extent>>;
  /** The range will be read soon: bring it near. */
  cache?(offset: bigint, length: bigint): Awaitable<void>;
  /** The client is gone. Called once, when no other call is under way. */
  close?(): Awaitable<void>;
}

/** The block sizes of a disk, in bytes. */
export interface BlockSize {
  /** Smallest addressable unit: a power of two, 1 to 65536. */
  readonly minimum: number;
  /** The size that performs best: a power of two, at least 512 and at least `minimum`. */
  readonly preferred: number;
  /** Largest request: a multiple of `minimum`, at least `preferred`, at most 4294967295. */
  readonly maximum: number;
}

/** What the methods of a {@link Connection} cannot say of it. */
export interface Traits {
  /**
   * The disk refuses writes although there is a `write`, as that of a class may be. Default: false. A filter's disk is as read-only as the
   * one below it, and cannot trim where that one cannot, whatever the filter overrides; `false` says that the filter keeps what is
   * written itself, as copy-on-write does.
   */
  readonly readonly: boolean;
  /**
   * Force unit access: `native` when write, trim and zero heed `flags.fua` themselves, `emulate` for a flush after them, `none` to
   * refuse it. Default: `emulate` where there is a flush, else `none`.
   */
  readonly fua: "none" | "emulate" | "native";
  /** Clients are told that they can have ranges zeroed; `false` makes them write zeroes. In process zeroing works as ever. Default: true. */
  readonly offersZero: boolean;
  /** `zero` heeds `flags.fastZero`. Default: false, and fast zeroing is refused with ENOTSUP. */
  readonly fastZero: boolean;
  /** A trimmed range reads as zeroes, so that trimming may stand in for a missing `zero`. Default: false. */
  readonly trimZeroes: boolean;
  /** Several clients see each other's flushed writes: one client may use several connections at once. Default: false. */
  readonly multiConn: boolean;
  /** Seeking costs time, as on a spinning disk. Default: false. */
  readonly rotational: boolean;
  /** `native`: `cache` does it; `emulate`: by reading; `none`: refused. Default: `native` where there is a `cache`, else `emulate`. */
  readonly cache: "none" | "emulate" | "native";
}

/** A part of a disk and what it holds (`base:allocation`). Neither `hole` nor `zero`: allocated data. */
export interface Extent {
  /** Bytes from the start of the disk. */
  readonly offset: bigint;
  /** Bytes, at least 1. */
  readonly length: bigint;
  /** Nothing is allocated here: a write may run out of space. */
  readonly hole?: boolean;
  /** Reads as zeroes. */
  readonly zero?: boolean;
}

/** A block-status context of a disk's own: a named map of 64-bit status values. */
export interface Context {
  /** `namespace:leaf`, for example `x-backup:changed`; `base:allocation` is taken. */
  readonly name: string;
  /** Lists the status of the range's parts under the same rules as {@link Connection.extents}; gaps have status 0. */
  extents(offset: bigint, length: bigint, flags: ExtentFlags): Awaitable<Iterable<StatusExtent> | AsyncIterable<StatusExtent>>;
}

/** A part of a disk and its status in a {@link Context}. */
export interface StatusExtent {
  /** Bytes from the start of the disk. */
  readonly offset: bigint;
  /** Bytes, at least 1. */
  readonly length: bigint;
  /** What the context says of this part: 0 to 2^32-1; up to 2^64-1 reaches clients that negotiated extended headers. */
  readonly status: bigint;
}
