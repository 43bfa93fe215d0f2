// From a Connection to a Disk: the one place that computes capabilities, checks ranges and emulates what the author left out.

import { type Awaitable, isPromise } from "./awaitable.ts";
import { capabilitiesOf, checkShape } from "./capabilities.ts";
import type { Connection, Context } from "./connection.ts";
import { type Disk, type DiskContext, diskBrand } from "./disk.ts";
import { DiskError } from "./error.ts";
import { completeExtents, completeStatus } from "./extents.ts";
import { extentFlags, writeFlags, zeroFlags } from "./flags.ts";
import { type Queue, queued } from "./queue.ts";
import { type RangeCheck, rangeCheck } from "./range.ts";
import { slices } from "./slices.ts";
import { UnderWay } from "./under-way.ts";
import { zeroing } from "./zero.ts";

/** How a connection is completed. */
export interface CompleteOptions {
  /** What every call of the connection has to go through. */
  readonly queue?: Queue | undefined;
  /** Who made the connection, for errors about what it says of itself. Default: `a plugin`. */
  readonly name?: string | undefined;
}

const noFlags = writeFlags(false);
const noZeroFlags = zeroFlags(false, false, false);
const allExtents = extentFlags(false);

/**
 * Makes a {@link Disk} of what an author wrote. FUA becomes a flush afterwards, zeroing becomes trimming or writing in slices, fast zeroing is
 * refused with ENOTSUP, caching becomes reading, and without `extents` all is data. A request of no bytes succeeds without reaching the
 * connection. Nothing here makes a promise or a closure for a request that the connection answers at once.
 *
 * @throws DiskError EINVAL when the connection says something impossible of itself: a negative size, block sizes that are no powers of two …
 */
export function complete(connection: Connection, options: CompleteOptions = {}): Disk {
  const { queue, name = "a plugin" } = options;
  checkShape(connection, name);
  const { size, blockSize, description } = connection;
  const capabilities = capabilitiesOf(connection);
  const raw: Omit<Connection, "size"> = queue === undefined ? connection : queued(connection, queue);
  const check = rangeCheck(size);
  const calls = new UnderWay();
  const { checkOpen } = calls;
  const zeroRange = zeroing(raw, blockSize, capabilities, checkOpen);
  const emulateFua = capabilities.fua === "emulate";
  let closed: Promise<void> | undefined;

  const checkWrite = (operation: string, fua: boolean): void => {
    checkOpen(operation);
    if (!capabilities.write) throw new DiskError("EPERM", `cannot ${operation}: the disk is read-only`);
    if (fua && capabilities.fua === "none") throw new DiskError("EINVAL", `cannot ${operation} with FUA: the disk has nothing to flush`);
  };
  const flushNow = (): Awaitable<void> => raw.flush?.();
  const thenFlush = (done: Awaitable<void>): Awaitable<void> => (isPromise(done) ? done.then(flushNow) : flushNow());

  const close = (): Promise<void> => {
    closed ??= (async () => {
      const idle = calls.close();
      if (isPromise(idle)) await idle;
      await connection.close?.();
    })();
    return closed;
  };

  return {
    [diskBrand]: true,
    size,
    ...(blockSize && { blockSize }),
    ...(description !== undefined && { description }),
    capabilities,
    contexts: (raw.contexts ?? []).map((context) => completeContext(context, check, calls)),

    read(target, offset) {
      checkOpen("read");
      check("EINVAL", "read", offset, target.length);
      return target.length === 0 ? undefined : calls.track(raw.read(target, offset));
    },

    write(source, offset, flags = noFlags) {
      checkWrite("write", flags.fua);
      check("ENOSPC", "write", offset, source.length);
      if (source.length === 0) return undefined;
      if (flags.fua && emulateFua) return calls.track(thenFlush(raw.write?.(source, offset, noFlags)));
      return calls.track(raw.write?.(source, offset, flags));
    },

    flush() {
      checkOpen("flush");
      return calls.track(flushNow());
    },

    trim(offset, length, flags = noFlags) {
      checkWrite("trim", flags.fua);
      check("EINVAL", "trim", offset, length);
      if (!capabilities.trim) throw new DiskError("ENOTSUP", "cannot trim: the disk has no trim");
      if (length === 0n) return undefined;
      if (flags.fua && emulateFua) return calls.track(thenFlush(raw.trim?.(offset, length, noFlags)));
      return calls.track(raw.trim?.(offset, length, flags));
    },

    zero(offset, length, flags = noZeroFlags) {
      checkWrite("zero", flags.fua);
      check("ENOSPC", "zero", offset, length);
      if (flags.fastZero && !capabilities.fastZero) throw new DiskError("ENOTSUP", "cannot zero fast: writing is no slower here");
      if (length === 0n) return undefined;
      if (!flags.fua || !emulateFua) return calls.track(zeroRange(offset, length, flags));
      return calls.track(thenFlush(zeroRange(offset, length, zeroFlags(false, flags.noHole, flags.fastZero))));
    },

    extents(offset, length, flags = allExtents) {
      checkOpen("list extents");
      check("EINVAL", "list extents", offset, length);
      if (length === 0n) return [];
      return calls.track(
        completeExtents(raw.extents === undefined ? [] : raw.extents(offset, length, flags), offset, length, flags.reqOne),
      );
    },

    cache(offset, length) {
      checkOpen("cache");
      check("EINVAL", "cache", offset, length);
      if (capabilities.cache === "none") throw new DiskError("ENOTSUP", "cannot cache: the disk refuses to");
      if (length === 0n) return undefined;
      if (capabilities.cache === "native") return calls.track(raw.cache?.(offset, length));
      return calls.track(slices(offset, length, blockSize, (buffer, at) => raw.read(buffer, at), checkOpen));
    },

    ...(capabilities.views && {
      views(offset: bigint, length: number): readonly Uint8Array[] | undefined {
        checkOpen("read");
        check("EINVAL", "read", offset, length);
        return raw.views?.(offset, length);
      },
    }),

    ...(capabilities.write &&
      raw.room !== undefined && {
        room(offset: bigint, length: number): Uint8Array | undefined {
          checkWrite("write", false);
          check("ENOSPC", "write", offset, length);
          return raw.room?.(offset, length);
        },
      }),

    close,
    [Symbol.asyncDispose]: close,
  };
}

function completeContext(context: Context, check: RangeCheck, calls: UnderWay): DiskContext {
  return {
    name: context.name,
    extents(offset, length, flags = allExtents) {
      calls.checkOpen("list extents");
      check("EINVAL", "list extents", offset, length);
      if (length === 0n) return [];
      return calls.track(completeStatus(context.extents(offset, length, flags), offset, length, flags.reqOne));
    },
  };
}
