// From a Disk and what a filter changes about it to the Disk that the next layer sees.

import { type CompleteOptions, complete } from "./complete.ts";
import type { Connection, Traits } from "./connection.ts";
import type { Disk } from "./disk.ts";
import type { Overrides } from "./filter.ts";
import { queued } from "./queue.ts";

/** Completes what a filter changed about `below`; an operation that it left alone is the very same function as before. */
export function completeOver(below: Disk, overrides: Overrides, options: CompleteOptions = {}): Disk {
  const own = options.queue === undefined ? overrides : queued(overrides, options.queue);
  const has = (key: keyof Connection): boolean => key in overrides;
  const pick = <K extends keyof Connection>(key: K, capable: boolean): Connection[K] | undefined => {
    if (!has(key)) return capable ? (below as unknown as Connection)[key] : undefined;
    const value = own[key] as unknown;
    return (typeof value === "function" ? value.bind(own) : value) as Connection[K] | undefined;
  };
  const { write, flush, trim, zero, extents, cache, views } = below.capabilities;
  const connection = withoutUndefined({
    size: overrides.size ?? below.size,
    blockSize: pick("blockSize", true),
    description: pick("description", true),
    contexts: pick("contexts", true),
    read: pick("read", true),
    views: pick("views", views && !has("read")),
    write: pick("write", write),
    flush: pick("flush", flush),
    trim: pick("trim", trim),
    zero: pick("zero", zero),
    extents: pick("extents", extents),
    cache: pick("cache", cache === "native"),
    traits: { ...inheritedTraits(below, has), ...overrides.traits },
    close: () => closeBoth(overrides, below),
  }) as unknown as Connection;
  const disk = complete(connection) as { -readonly [K in keyof Disk]: Disk[K] };
  return disk.size === below.size ? keepUntouched(disk, below, overrides, has) : disk;
}

/** Takes back the functions of `below` that are to behave as they did, so that they cost nothing in this layer. */
function keepUntouched(disk: { -readonly [K in keyof Disk]: Disk[K] }, below: Disk, overrides: Overrides, has: (key: keyof Connection) => boolean): Disk {
  const canWrite = disk.capabilities.write && below.capabilities.write;
  const sameFua = overrides.traits?.fua === undefined;
  if (!has("read")) disk.read = below.read;
  if (!has("read") && !has("views") && below.views !== undefined) disk.views = below.views;
  if (!has("write") && canWrite && sameFua) disk.write = below.write;
  if (!has("flush")) disk.flush = below.flush;
  if (!has("trim") && canWrite && sameFua) disk.trim = below.trim;
  const zeroStands = below.capabilities.zero || !(has("write") || has("trim"));
  if (!has("zero") && canWrite && sameFua && zeroStands && overrides.traits?.fastZero === undefined) disk.zero = below.zero;
  if (!has("extents")) disk.extents = below.extents;
  const cacheStands = below.capabilities.cache === "native" || !has("read");
  if (!has("cache") && cacheStands && overrides.traits?.cache === undefined) disk.cache = below.cache;
  return disk;
}

/** What a filter's disk says of itself unless told otherwise: as below, with flags passed on rather than emulated once more. */
function inheritedTraits(below: Disk, has: (key: keyof Connection) => boolean): Partial<Traits> {
  const { write, fua, zero, fastZero, trimZeroes, multiConn, rotational, cache } = below.capabilities;
  return {
    multiConn,
    rotational,
    ...(write && fua !== "none" && { fua: "native" }),
    ...(write && fua === "none" && !has("flush") && { fua: "none" }),
    ...(zero && { fastZero }),
    ...(write && { trimZeroes }),
    ...(!has("cache") && { cache }),
  };
}

/** The filter's close, which may still use the disk, then the disk's, whatever became of the first. */
async function closeBoth(overrides: Overrides, below: Disk): Promise<void> {
  try {
    await overrides.close?.();
  } finally {
    await below.close();
  }
}

function withoutUndefined(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
