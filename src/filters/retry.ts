// `retry`: a disk that is opened again when it fails, so that short failures go unnoticed.

import { type Duration, parseDuration } from "../common/duration.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter, OpenRequest } from "../contract/plugin.ts";
import { withClose } from "../contract/with-close.ts";
import { Reopening, type RetryPolicy } from "./retry/reopening.ts";

/** How often {@link retry} tries, and how soon. */
export interface RetryOptions {
  /** How often a request is made again before its error is the client's. Default: 5. */
  readonly retries?: number;
  /** The time before the first retry. Default: 2 (seconds). */
  readonly delay?: Duration;
  /** Each wait is twice as long as the one before. Default: true. */
  readonly exponential?: boolean;
  /** From the first failure on the disk is read-only for this client. Default: false. */
  readonly readonly?: boolean;
  /** Default: the time of this machine. */
  readonly clock?: Clock;
}

/**
 * Opens the disk again when a request fails, and makes the request again. Requests under way wait meanwhile: there is one reopening for all.
 * With the defaults it gives up after about a minute. The first opening is not tried again.
 *
 * @throws DiskError EINVAL for options that are not what they should be
 * @example
 * ```ts
 * const disk = pipe(myRemoteDisk, retry({ retries: 3, delay: "500ms" }));
 * ```
 */
export function retry(options: RetryOptions = {}): Filter {
  const { retries = 5, exponential = true, readonly = false, clock = systemClock } = options;
  if (!Number.isSafeInteger(retries) || retries < 0)
    throw new DiskError("EINVAL", `retries ${String(retries)}: expected a whole number from 0`);
  for (const [name, value] of Object.entries({ exponential, readonly }))
    if (typeof value !== "boolean") throw new DiskError("EINVAL", `${name} ${String(value)}: expected true or false`);
  const policy: RetryPolicy = { retries, exponential, readonly, clock, delay: parseDuration(options.delay ?? 2, "delay") };
  const clients = new WeakMap<OpenRequest, Reopening>();

  return filter("retry", (disk, request) => overrides(disk, clients.get(request) as Reopening), {
    async open(next, request) {
      const reopening = new Reopening(next, request, policy);
      clients.set(request, reopening);
      // Closing is for the one who may have opened another disk by then.
      return withClose(await reopening.open(), async () => undefined);
    },
  });
}

/** Each request goes to the disk that is open at that moment. */
function overrides({ contexts, capabilities: can }: Disk, reopening: Reopening): Overrides {
  return {
    // A flush of one's own would be taken for a way to do FUA.
    traits: { trimZeroes: can.trimZeroes, ...(can.fua === "none" && { fua: "none" }) },
    read: (target, offset) => reopening.call(read, target, offset, undefined),
    ...(can.views && { views: (offset, length) => lend(() => reopening.disk?.views?.(offset, length)) }),
    ...(can.write && { write: (source, offset, flags) => reopening.change(write, source, offset, flags) }),
    ...(can.flush && { flush: () => reopening.flush() }),
    ...(can.trim && { trim: (offset, length, flags) => reopening.change(trim, offset, length, flags) }),
    ...(can.zero && { zero: (offset, length, flags) => reopening.change(zero, offset, length, flags) }),
    ...(can.extents && { extents: (offset, length, flags) => reopening.call(extents, offset, length, flags) }),
    ...(can.cache === "native" && { cache: (offset, length) => reopening.call(cache, offset, length, undefined) }),
    contexts: contexts.map(({ name }) => ({
      name,
      extents: (offset, length, flags) =>
        reopening.call(
          (disk) => disk.contexts.find((context) => context.name === name)?.extents(offset, length, flags) ?? [],
          undefined,
          undefined,
          undefined,
        ),
    })),
    close: () => reopening.close(),
  };
}

type CallOf<K extends "read" | "write" | "trim" | "zero" | "extents" | "cache"> = (
  disk: Disk,
  a: Parameters<Disk[K]>[0],
  b: Parameters<Disk[K]>[1],
  c: Parameters<Disk[K]>[2],
) => ReturnType<Disk[K]>;

const read: CallOf<"read"> = (disk, target, offset) => disk.read(target, offset);
const write: CallOf<"write"> = (disk, source, offset, flags) => disk.write(source, offset, flags);
const trim: CallOf<"trim"> = (disk, offset, length, flags) => disk.trim(offset, length, flags);
const zero: CallOf<"zero"> = (disk, offset, length, flags) => disk.zero(offset, length, flags);
const extents: CallOf<"extents"> = (disk, offset, length, flags) => disk.extents(offset, length, flags);
const cache: CallOf<"cache"> = (disk, offset, length) => disk.cache(offset, length);

/** What cannot be lent is read, and fails there. */
function lend<T>(views: () => T | undefined): T | undefined {
  try {
    return views();
  } catch {
    return undefined;
  }
}
