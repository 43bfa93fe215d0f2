// `delay`: requests that take their time, as on a slow or distant disk.

import { type Duration, parseDuration } from "../common/duration.ts";
import { type Gate, gated } from "../common/gated.ts";
import { wrappingFilter } from "../common/wrapping.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { DiskError } from "../contract/error.ts";
import type { Filter } from "../contract/plugin.ts";

/** How long requests of each kind are held back. Lengths of time are seconds, or have a unit: `2`, `"1.5"`, `"40ms"`. Default: not at all. */
export interface DelayOptions {
  readonly read?: Duration;
  readonly write?: Duration;
  readonly trim?: Duration;
  readonly zero?: Duration;
  readonly extents?: Duration;
  readonly cache?: Duration;
  /** Before the disk is opened for a client. */
  readonly open?: Duration;
  /** Before the disk is closed for a client. */
  readonly close?: Duration;
  /** `false`: where zeroing is held back, zeroing that is to be fast is refused at once with ENOTSUP. Default: true, it waits as all zeroing does. */
  readonly fastZero?: boolean;
  /** Default: the time of this machine. */
  readonly clock?: Clock;
}

const kinds = ["read", "write", "trim", "zero", "extents", "cache"] as const;

/**
 * Holds requests back before they reach the disk below; several wait side by side. Who waits is let go, with an error, when the client goes.
 *
 * @throws DiskError EINVAL for what is no length of time
 * @example A disk on the other side of the ocean
 * ```ts
 * const disk = pipe(memory("1G"), delay({ read: "80ms", write: "80ms" }));
 * ```
 */
export function delay(options: DelayOptions = {}): Filter {
  const { clock = systemClock, fastZero = true } = options;
  if (typeof fastZero !== "boolean") throw new DiskError("EINVAL", `fastZero ${String(fastZero)}: expected true or false`);
  const time = (kind: (typeof kinds)[number] | "open" | "close"): number => parseDuration(options[kind] ?? 0, kind);
  const times = kinds.map((kind) => [kind, time(kind)] as const);
  const open = time("open");
  const close = time("close");
  const refuseFast = !fastZero && time("zero") > 0;

  return wrappingFilter(
    "delay",
    (disk, { signal }) => {
      const wait = (milliseconds: number): Gate | undefined => (milliseconds > 0 ? () => clock.sleep(milliseconds, signal) : undefined);
      const gates = gated(disk, Object.fromEntries(times.map(([kind, milliseconds]) => [kind, wait(milliseconds)])));
      const { zero } = gates;
      return {
        ...gates,
        ...(refuseFast &&
          zero && {
            capabilities: { zero: true, fastZero: true },
            zero(offset, length, flags) {
              if (flags?.fastZero) throw new DiskError("ENOTSUP", "cannot zero fast: zeroing is delayed on purpose");
              return zero(offset, length, flags);
            },
          }),
        // The client has gone by now, and its signal with it.
        ...(close > 0 && { close: () => clock.sleep(close) }),
      };
    },
    {
      async open(next, request) {
        if (open > 0) await clock.sleep(open, request.signal);
        return next.open(request);
      },
    },
  );
}
