// A filter that has a word with every call before it goes on to the layer below.

import { type Awaitable, andThen, type Disk, type Filter, filter, type Overrides } from "../contract/index.ts";
import { type Call, call, type Operation } from "./call.ts";

/**
 * Calls `before` for whatever reaches this layer; the call goes on when that has settled, and fails when that does. Nothing is lent through
 * it, so every read is a `read`; a request of no bytes, and what the disk below does not do itself, does not get here.
 */
export function intercept(name: string, before: (call: Call) => Awaitable<void>): Filter {
  const heard = (operation: Operation, details?: Partial<Call>): Awaitable<void> => before(call(name, operation, details));
  return (next) =>
    filter(name, (disk) => overrides(disk, heard), {
      start: () => heard("start"),
      preconnect: async (below, peer) => {
        await heard("preconnect");
        await below.preconnect?.(peer);
      },
      ...(next.exports && {
        exports: async (below, client) => {
          await heard("exports");
          return below.exports?.(client) ?? [];
        },
      }),
      ...(next.defaultExport && {
        defaultExport: async (below, client) => {
          await heard("defaultExport");
          return below.defaultExport?.(client) ?? "";
        },
      }),
      open: async (below, request) => {
        await heard("open", { exportName: request.exportName });
        return below.open(request);
      },
      close: () => heard("close plugin"),
    })(next);
}

function overrides(disk: Disk, heard: (operation: Operation, details?: Partial<Call>) => Awaitable<void>): Overrides {
  const can = disk.capabilities;
  return {
    traits: { trimZeroes: can.trimZeroes },
    read: (target, offset) => andThen(heard("read", { offset, length: BigInt(target.length) }), () => disk.read(target, offset)),
    ...(can.write && {
      write: (source, offset, flags) =>
        andThen(heard("write", { offset, length: BigInt(source.length), flags }), () => disk.write(source, offset, flags)),
    }),
    ...(can.flush && { flush: () => andThen(heard("flush"), () => disk.flush()) }),
    ...(can.trim && {
      trim: (offset, length, flags) => andThen(heard("trim", { offset, length, flags }), () => disk.trim(offset, length, flags)),
    }),
    ...(can.zero && {
      zero: (offset, length, flags) => andThen(heard("zero", { offset, length, flags }), () => disk.zero(offset, length, flags)),
    }),
    ...(can.extents && {
      extents: (offset, length, flags) => andThen(heard("extents", { offset, length, flags }), () => disk.extents(offset, length, flags)),
    }),
    ...(can.cache === "native" && {
      cache: (offset, length) => andThen(heard("cache", { offset, length }), () => disk.cache(offset, length)),
    }),
    close: () => heard("close"),
  };
}
