// `rate`: a disk that takes and gives no more than so many bits per second.

import { type Duration, parseDuration } from "../common/duration.ts";
import { type Gate, gated } from "../common/gated.ts";
import { wrappingFilter } from "../common/wrapping.ts";
import { isPromise } from "../contract/awaitable.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { Bucket } from "./rate/bucket.ts";
import { type BitRate, limitOf } from "./rate/limit.ts";

export type { BitRate } from "./rate/limit.ts";

/** How fast {@link rate} lets bytes through. Reads and writes are limited each by itself. */
export interface RateOptions {
  /** Bits per second for all clients together. */
  readonly rate?: BitRate;
  /** Bits per second for each client. */
  readonly connectionRate?: BitRate;
  /** A file with the rate for all, which counts from when it is there; it is looked at again while the disk is used. */
  readonly rateFile?: string;
  /** Such a file with the rate for each client. */
  readonly connectionRateFile?: string;
  /** The time for which bits that nobody wanted are saved up, to be used at once. Default: 2 (seconds). */
  readonly burstiness?: Duration;
  /** Default: the time of this machine. */
  readonly clock?: Clock;
}

/**
 * Limits the bandwidth of reads and writes. Who waits is served in the order of coming, and let go, with an error, when the client goes.
 *
 * @throws DiskError EINVAL for what is no rate
 * @example One megabit per second, and more at night
 * ```ts
 * const disk = pipe(memory("1G"), rate({ rate: () => (new Date().getHours() < 6 ? "100M" : "1M") }));
 * ```
 */
export function rate(options: RateOptions = {}): Filter {
  const { clock = systemClock } = options;
  const whole = limitOf(options.rate, options.rateFile, "rate", clock);
  const each = limitOf(options.connectionRate, options.connectionRateFile, "connectionRate", clock);
  const burst = parseDuration(options.burstiness ?? 2, "burstiness");
  if (whole === undefined && each === undefined) return filter("rate", () => ({}));
  const buckets = (limit: typeof whole): readonly [] | readonly [read: Bucket, write: Bucket] =>
    limit === undefined ? [] : [new Bucket(clock, limit, burst), new Bucket(clock, limit, burst)];
  const [wholeRead, wholeWrite] = buckets(whole);

  return wrappingFilter("rate", (disk, { signal }) => {
    const [ownRead, ownWrite] = buckets(each);
    /** The client's own bits and those of all are waited for together. */
    const gate = (own: Bucket | undefined, shared: Bucket | undefined): Gate => {
      return (length) => {
        const bits = Number(length) * 8;
        const wait = own?.take(bits, signal);
        return isPromise(wait) ? both(wait, shared, bits) : shared?.take(bits, signal);
      };
    };
    const both = async (wait: PromiseLike<void>, shared: Bucket | undefined, bits: number): Promise<void> => {
      await Promise.all([wait, (async () => shared?.take(bits, signal))()]);
    };
    return {
      ...gated(disk, { read: gate(ownRead, wholeRead), write: gate(ownWrite, wholeWrite) }),
      ...(disk.room && { room: disk.room }),
    };
  });
}
