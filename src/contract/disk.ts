// The completed Connection: what everyone but a plugin's author works with.

import type { Awaitable } from "./awaitable.ts";
import type { BlockSize, Connection, Context, Extent, StatusExtent, Traits } from "./connection.ts";
import type { ExtentFlags, WriteFlags, ZeroFlags } from "./flags.ts";

/** Marks a completed Connection, also one that another copy of this package made. */
export const diskBrand: unique symbol = Symbol.for("diskwright.disk") as never;

/**
 * A disk that is open: every operation is there or refused with a clear error, what the plugin left out is emulated, every range
 * is checked. The same type for a plugin stack opened in process ({@link openDisk}) and for a remote export.
 *
 * The methods do not need their `this`, so `const { read } = disk` works, and the disk may be handed on as a {@link Connection}.
 * Calls may answer at once (`undefined`) or with a promise; `await` does for both.
 *
 * @example
 * ```ts
 * await using disk = await openDisk(memory("1G"));
 * await disk.write(Buffer.from("hello"), 4096n);
 * const target = new Uint8Array(5);
 * await disk.read(target, 4096n);
 * ```
 */
export interface Disk extends AsyncDisposable {
  readonly [diskBrand]: true;
  /** Bytes. */
  readonly size: bigint;
  /** What the disk says of its block sizes, if anything. */
  readonly blockSize?: BlockSize;
  /** A text for people about what this disk is. */
  readonly description?: string;
  /** What the disk can do, computed once. */
  readonly capabilities: Capabilities;
  /** Block-status contexts beside `base:allocation`. */
  readonly contexts: readonly DiskContext[];

  /** Fills `target` with the bytes at `offset`. Throws EINVAL past the end. */
  read(target: Uint8Array, offset: bigint): Awaitable<void>;
  /** See {@link Connection.views}; absent where the disk never lends. */
  views?(offset: bigint, length: number): readonly Uint8Array[] | undefined;
  /** See {@link Connection.room}; absent where the disk never lends room. */
  room?(offset: bigint, length: number): Uint8Array | undefined;
  /** Writes `source` at `offset`. Throws EPERM on a read-only disk, ENOSPC past the end. */
  write(source: Uint8Array, offset: bigint, flags?: WriteFlags): Awaitable<void>;
  /** Returns once every write that was answered before is on stable storage; at once on a disk that has nothing to flush. */
  flush(): Awaitable<void>;
  /** Gives up the range's content. Throws EPERM on a read-only disk, ENOTSUP where the disk cannot trim. */
  trim(offset: bigint, length: bigint, flags?: WriteFlags): Awaitable<void>;
  /** Makes the range read as zeroes, by writing them if need be. Throws EPERM, ENOSPC; ENOTSUP with `fastZero` where it would be slow. */
  zero(offset: bigint, length: bigint, flags?: ZeroFlags): Awaitable<void>;
  /**
   * Lists what the range holds: extents that start exactly at `offset`, ascend without a gap and end at or before the end of the range,
   * at least one. Where they end early, ask again from there.
   */
  extents(offset: bigint, length: bigint, flags?: ExtentFlags): Awaitable<readonly Extent[]>;
  /** Brings the range near. Throws ENOTSUP where the disk refuses to. */
  cache(offset: bigint, length: bigint): Awaitable<void>;
  /**
   * Closes the disk, after the calls under way have been answered; further calls fail with ESHUTDOWN. What fails is thrown. Calling it again
   * answers as the first call did.
   */
  close(): Promise<void>;
}

/** What a {@link Disk} can do. */
export interface Capabilities extends Omit<Traits, "readonly"> {
  /** Whether it can be written at all; trim, zero and fua are false on a disk that cannot. */
  readonly write: boolean;
  /** Whether there is anything to flush. */
  readonly flush: boolean;
  /** Whether ranges can be trimmed. */
  readonly trim: boolean;
  /** Whether zeroing does better than writing zeroes; zeroing itself works on every disk that can be written. */
  readonly zero: boolean;
  /** Whether it knows its holes; without that all is reported as data. */
  readonly extents: boolean;
  /** Whether it may lend its bytes. */
  readonly views: boolean;
}

/** A block-status context of a {@link Disk}. */
export interface DiskContext extends Context {
  /** As {@link Disk.extents}: starts exactly at `offset`, without gaps, at least one, none past the end of the range. */
  extents(offset: bigint, length: bigint, flags?: ExtentFlags): Awaitable<readonly StatusExtent[]>;
}

/** Tells whether a connection is a completed {@link Disk}. */
export function isDisk(connection: Connection): connection is Disk {
  return typeof connection === "object" && connection !== null && diskBrand in connection;
}
