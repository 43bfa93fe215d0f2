// From a Connection to a Disk: the one place that computes capabilities, checks ranges and emulates what the author left out.

import { andThen, type Awaitable, isPromise } from "./awaitable.ts";
import { capabilitiesOf, checkShape } from "./capabilities.ts";
import type { Connection, Context } from "./connection.ts";
import { type Disk, type DiskContext, diskBrand } from "./disk.ts";
import { DiskError, errorCode } from "./error.ts";
import { completeExtents, completeStatus } from "./extents.ts";
import { extentFlags, type WriteFlags, writeFlags, type ZeroFlags, zeroFlags } from "./flags.ts";
import { type Queue, queued } from "./queue.ts";
import { rangeCheck } from "./range.ts";
import { slices } from "./slices.ts";

/** How a connection is completed. */
export interface CompleteOptions {
  /** What every call of the connection has to go through. */
  readonly queue?: Queue | undefined;
}

const noFlags = writeFlags(false);
const noZeroFlags = zeroFlags(false, false, false);
const allExtents = extentFlags(false);

/**
 * Makes a {@link Disk} of what an author wrote. FUA becomes a flush afterwards, zeroing becomes trimming or writing in slices, fast zeroing is
 * refused with ENOTSUP, caching becomes reading, and without `extents` all is data.
 *
 * @throws DiskError EINVAL when the connection says something impossible of itself: a negative size, block sizes that are no powers of two …
 */
export function complete(connection: Connection, options: CompleteOptions = {}): Disk {
  checkShape(connection);
  const raw = options.queue === undefined ? connection : queued(connection, options.queue);
  const { size } = connection;
  const capabilities = capabilitiesOf(connection);
  const check = rangeCheck(size);
  const nativeFua = capabilities.fua === "native";
  let closing: Promise<void> | undefined;

  const refuse = (operation: string, code: string, why: string): DiskError =>
    new DiskError(closing === undefined ? code : "ESHUTDOWN", `cannot ${operation}: ${closing === undefined ? why : "the disk is closed"}`);
  const checkOpen = (operation: string): void => {
    if (closing !== undefined) throw refuse(operation, "ESHUTDOWN", "");
  };
  const checkWrite = (operation: string, fua: boolean): void => {
    if (closing !== undefined || !capabilities.write) throw refuse(operation, "EPERM", "the disk is read-only");
    if (fua && capabilities.fua === "none") throw refuse(operation, "EINVAL", "the disk has no force unit access");
  };
  /** Flushes after an operation that could not heed `fua` itself. */
  const flushAfter = (fua: boolean, done: Awaitable<void>): Awaitable<void> =>
    fua && !nativeFua ? andThen(done, () => raw.flush?.()) : done;

  const disk = {
    [diskBrand]: true as const,
    size,
    ...(connection.blockSize && { blockSize: connection.blockSize }),
    ...(connection.description !== undefined && { description: connection.description }),
    capabilities,
    contexts: [] as readonly DiskContext[],

    read(target: Uint8Array, offset: bigint): Awaitable<void> {
      check("EINVAL", "read", offset, target.length);
      checkOpen("read");
      return target.length === 0 ? undefined : raw.read(target, offset);
    },

    write(source: Uint8Array, offset: bigint, flags: WriteFlags = noFlags): Awaitable<void> {
      checkWrite("write", flags.fua);
      check("ENOSPC", "write", offset, source.length);
      if (!flags.fua || nativeFua) return source.length === 0 && !flags.fua ? undefined : raw.write?.(source, offset, flags);
      return flushAfter(true, source.length === 0 ? undefined : raw.write?.(source, offset, noFlags));
    },

    flush(): Awaitable<void> {
      checkOpen("flush");
      return raw.flush?.();
    },

    trim(offset: bigint, length: bigint, flags: WriteFlags = noFlags): Awaitable<void> {
      checkWrite("trim", flags.fua);
      check("EINVAL", "trim", offset, length);
      if (!capabilities.trim) throw refuse("trim", "ENOTSUP", "the disk has no trim");
      return flushAfter(flags.fua, length === 0n ? undefined : raw.trim?.(offset, length, nativeFua ? flags : noFlags));
    },

    zero(offset: bigint, length: bigint, flags: ZeroFlags = noZeroFlags): Awaitable<void> {
      checkWrite("zero", flags.fua);
      check("ENOSPC", "zero", offset, length);
      if (flags.fastZero && !capabilities.fastZero) throw refuse("zero", "ENOTSUP", "zeroing is not faster than writing here");
      if (length === 0n) return flushAfter(flags.fua, undefined);
      return flushAfter(flags.fua, zero(offset, length, nativeFua || !flags.fua ? flags : zeroFlags(false, flags.noHole, flags.fastZero)));
    },

    extents(offset: bigint, length: bigint, flags = allExtents) {
      check("EINVAL", "list extents", offset, length);
      checkOpen("list extents");
      if (length === 0n) return [];
      return completeExtents(raw.extents?.(offset, length, flags) ?? [], offset, length, flags.reqOne);
    },

    cache(offset: bigint, length: bigint): Awaitable<void> {
      check("EINVAL", "cache", offset, length);
      checkOpen("cache");
      if (capabilities.cache === "none") throw refuse("cache", "ENOTSUP", "the disk has no cache");
      if (length === 0n) return undefined;
      if (capabilities.cache === "native") return raw.cache?.(offset, length);
      return slices(offset, length, (buffer, at) => raw.read(buffer, at), checkOpen);
    },

    ...(capabilities.views && {
      views(offset: bigint, length: number): readonly Uint8Array[] | undefined {
        check("EINVAL", "read", offset, length);
        checkOpen("read");
        return connection.views?.(offset, length);
      },
    }),

    close(): Promise<void> {
      closing ??= (async () => connection.close?.())();
      return closing;
    },

    [Symbol.asyncDispose](): Promise<void> {
      return this.close();
    },
  };
  disk.contexts = (connection.contexts ?? []).map((context) => completeContext(context, check, checkOpen, options.queue));

  function zero(offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void> {
    const fallBack = (error: unknown): Awaitable<void> => {
      const code = errorCode(error);
      if ((code !== "ENOTSUP" && code !== "EOPNOTSUPP") || flags.fastZero) throw error;
      return zeroByWriting(offset, length, flags.fua);
    };
    if (raw.zero === undefined) {
      if (capabilities.trimZeroes && !flags.noHole && raw.trim !== undefined) return raw.trim(offset, length, writeFlags(flags.fua));
      return zeroByWriting(offset, length, flags.fua);
    }
    let done: Awaitable<void>;
    try {
      done = raw.zero(offset, length, flags);
    } catch (error) {
      return fallBack(error);
    }
    return isPromise(done) ? done.then(undefined, fallBack) : done;
  }

  function zeroByWriting(offset: bigint, length: bigint, fua: boolean): Awaitable<void> {
    return slices(offset, length, (buffer, at) => raw.write?.(buffer, at, writeFlags(fua)), checkOpen);
  }

  return disk;
}

function completeContext(
  context: Context,
  check: ReturnType<typeof rangeCheck>,
  checkOpen: (operation: string) => void,
  queue: Queue | undefined,
): DiskContext {
  return {
    name: context.name,
    extents(offset, length, flags = allExtents) {
      check("EINVAL", "list extents", offset, length);
      checkOpen("list extents");
      if (length === 0n) return [];
      const list = queue === undefined ? context.extents(offset, length, flags) : queue.run(() => context.extents(offset, length, flags));
      return completeStatus(list, offset, length, flags.reqOne);
    },
  };
}
