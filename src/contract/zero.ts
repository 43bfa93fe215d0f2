// Zeroing a range on any disk that can be written: as the disk does it itself, by trimming, or by writing zeroes.

import { type Awaitable, isPromise } from "./awaitable.ts";
import type { BlockSize, Connection } from "./connection.ts";
import type { Capabilities } from "./disk.ts";
import { errorCode } from "./error.ts";
import { type WriteFlags, writeFlags, type ZeroFlags } from "./flags.ts";
import { slices } from "./slices.ts";

/** Zeroes a range; `flags` are those that the connection itself heeds. */
export type Zeroing = (offset: bigint, length: bigint, flags: ZeroFlags) => Awaitable<void>;

/**
 * Chooses how the requests of `connection` zero a range. What refuses with ENOTSUP is done by writing, unless it was to be fast.
 *
 * @param checkOpen - called between the slices of a long range; throws to end the work
 */
export function zeroing(
  connection: Pick<Connection, "write" | "trim" | "zero">,
  blockSize: BlockSize | undefined,
  capabilities: Capabilities,
  checkOpen: (operation: string) => void,
): Zeroing {
  if (connection.zero !== undefined) return (offset, length, flags) => orByWriting(native, offset, length, flags);
  if (connection.trim === undefined || !capabilities.trimZeroes) return byWriting;
  return (offset, length, flags) => (flags.noHole ? byWriting(offset, length, flags) : orByWriting(byTrimming, offset, length, flags));

  function native(offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void> {
    return connection.zero?.(offset, length, flags);
  }

  function byTrimming(offset: bigint, length: bigint, flags: WriteFlags): Awaitable<void> {
    return connection.trim?.(offset, length, writeFlags(flags.fua));
  }

  function byWriting(offset: bigint, length: bigint, flags: WriteFlags): Awaitable<void> {
    const own = writeFlags(flags.fua);
    return slices(offset, length, blockSize, (zeroes, at) => connection.write?.(zeroes, at, own), checkOpen);
  }

  function orByWriting(way: Zeroing, offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void> {
    let done: Awaitable<void>;
    try {
      done = way(offset, length, flags);
    } catch (error) {
      return writeAfter(error, offset, length, flags);
    }
    return isPromise(done) ? done.then(undefined, (error: unknown) => writeAfter(error, offset, length, flags)) : done;
  }

  function writeAfter(error: unknown, offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void> {
    const code = errorCode(error);
    if ((code !== "ENOTSUP" && code !== "EOPNOTSUPP") || flags.fastZero) throw error;
    return byWriting(offset, length, flags);
  }
}
