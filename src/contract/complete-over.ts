// From a Disk and what a filter changes about it to the Disk that the next layer sees.

import { type CompleteOptions, complete } from "./complete.ts";
import type { Connection, Traits } from "./connection.ts";
import type { Disk } from "./disk.ts";
import { everyStep } from "./every-step.ts";
import type { Overrides } from "./filter.ts";
import { queued } from "./queue.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Has = (key: keyof Connection) => boolean;

/**
 * Completes what a filter changed about `below`; an operation that it left alone is the very same function as before.
 *
 * @throws DiskError EINVAL when the filter says something impossible of the disk
 */
export function completeOver(below: Disk, overrides: Overrides, options: CompleteOptions = {}): Disk {
  const { queue, name } = options;
  const has: Has = (key) => key in overrides;
  const disk: Writable<Disk> = complete(connectionOver(below, overrides, queue === undefined ? {} : queued(overrides, queue), has), {
    name,
  });
  if (disk.size === below.size) keepUntouched(disk, below, overrides, has);
  return disk;
}

/** What `complete` is given: what the filter has, and what the disk below can do where the filter says nothing. */
function connectionOver(below: Disk, overrides: Overrides, through: Overrides, has: Has): Connection {
  const pick = <K extends keyof Connection>(key: K, capable: boolean): Connection[K] | undefined => {
    if (!has(key)) return capable ? (below as Connection)[key] : undefined;
    const value: unknown = key in through ? through[key] : overrides[key];
    // Overrides may be an instance of a class: its methods keep their `this`.
    return (typeof value === "function" ? value.bind(overrides) : value) as Connection[K] | undefined;
  };
  const can = below.capabilities;
  // What ends in the disk below cannot do more than that one: a slice of a read-only disk is read-only.
  const ownWrites = overrides.traits?.readonly === false;
  const connection: { [K in keyof Connection]: Connection[K] | undefined } = {
    size: overrides.size ?? below.size,
    blockSize: pick("blockSize", true),
    description: pick("description", true),
    contexts: pick("contexts", true),
    traits: { ...inheritedTraits(below, has), ...overrides.traits },
    read: pick("read", true),
    views: pick("views", can.views && !has("read")),
    room: pick("room", below.room !== undefined && !has("write")),
    write: ownWrites || can.write ? pick("write", can.write) : undefined,
    flush: pick("flush", can.flush),
    trim: ownWrites || can.trim ? pick("trim", can.trim) : undefined,
    zero: pick("zero", can.zero),
    extents: pick("extents", can.extents),
    cache: pick("cache", can.cache === "native"),
    // The filter closes first: it may still use the disk.
    close: () => everyStep(() => overrides.close?.(), below.close),
  };
  return connection as Connection;
}

/** Takes back the functions of `below` that are to behave as they did, so that they cost nothing in this layer. */
function keepUntouched(disk: Writable<Disk>, below: Disk, { traits = {} }: Overrides, has: Has): void {
  if (!has("read")) disk.read = below.read;
  if (!has("read") && !has("views") && below.views !== undefined) disk.views = below.views;
  if (!has("flush")) disk.flush = below.flush;
  if (!has("extents")) disk.extents = below.extents;
  if (!has("contexts")) disk.contexts = below.contexts;
  const sameCache = below.capabilities.cache === disk.capabilities.cache && (below.capabilities.cache !== "emulate" || !has("read"));
  if (!has("cache") && sameCache) disk.cache = below.cache;

  // A flush of the filter's own makes FUA possible on a disk that had none.
  const sameFua = traits.fua === undefined && (below.capabilities.fua !== "none" || disk.capabilities.fua === "none");
  const sameWrite = disk.capabilities.write === below.capabilities.write && sameFua;
  if (!has("write") && sameWrite) disk.write = below.write;
  if (!has("write") && !has("room") && sameWrite && below.room !== undefined) disk.room = below.room;
  if (!has("trim") && sameWrite) disk.trim = below.trim;
  // Where the disk below zeroes by writing or trimming, zeroing changes when the filter changes those.
  const sameZero = below.capabilities.zero || !(has("write") || has("trim"));
  if (!has("zero") && sameWrite && sameZero && traits.fastZero === undefined) disk.zero = below.zero;
}

/** What a filter's disk says of itself unless told otherwise: as below, with flags passed on rather than emulated once more. */
function inheritedTraits(below: Disk, has: Has): Partial<Traits> {
  const { write, fua, zero, offersZero, fastZero, trimZeroes, multiConn, rotational, cache } = below.capabilities;
  return {
    multiConn,
    rotational,
    ...(write && fua !== "none" && { fua: "native" }),
    ...(write && fua === "none" && !has("flush") && { fua: "none" }),
    ...(write && { offersZero }),
    ...(zero && { fastZero }),
    // What reads as zeroes below need not do so through a filter that changes what is read or trimmed.
    ...(write && !has("read") && !has("trim") && { trimZeroes }),
    ...(!has("cache") && { cache }),
  };
}
