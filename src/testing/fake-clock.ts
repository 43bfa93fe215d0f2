// A clock for tests: time passes when the test says so.

import type { Clock } from "../contract/index.ts";

/** A {@link Clock} whose time only {@link FakeClock.advance} moves. */
export interface FakeClock extends Clock {
  /** How many sleep. */
  readonly sleepers: number;
  /**
   * Lets time pass. Those whose sleep ends meanwhile wake in order, each at its own moment and with the time to do something about it,
   * falling asleep again included.
   */
  advance(milliseconds: number): Promise<void>;
  /** Settles when at least `count` (1) sleep: what a test waits for before it lets time pass. */
  asleep(count?: number): Promise<void>;
}

interface Sleeper {
  readonly until: number;
  wake(): void;
}

/**
 * Makes a clock that starts at 0.
 *
 * @example A disk that answers after 10 ms, tested without waiting for them
 * ```ts
 * const clock = fakeClock();
 * await using disk = await openDisk(pipe(memory(1024), myDelay({ read: "10ms", clock })));
 * const reading = disk.read(new Uint8Array(512), 0n);
 * await clock.asleep();
 * await clock.advance(10);
 * await reading;
 * ```
 */
export function fakeClock(): FakeClock {
  let now = 0;
  const sleepers = new Set<Sleeper>();
  const watchers = new Set<() => void>();

  const nextUntil = (end: number): Sleeper | undefined => {
    let next: Sleeper | undefined;
    for (const sleeper of sleepers) if (sleeper.until <= end && (next === undefined || sleeper.until < next.until)) next = sleeper;
    return next;
  };

  return {
    now: () => now,
    get sleepers() {
      return sleepers.size;
    },

    sleep(milliseconds, signal) {
      return new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const end = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", end);
          if (signal?.aborted) reject(signal.reason);
          else resolve();
        };
        const sleeper: Sleeper = { until: now + Math.max(0, milliseconds), wake: end };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", end, { once: true });
        for (const watch of watchers) watch();
      });
    },

    async advance(milliseconds) {
      const end = now + milliseconds;
      for (let next = nextUntil(end); next !== undefined; next = nextUntil(end)) {
        now = next.until;
        next.wake();
        await new Promise((resolve) => setImmediate(resolve));
      }
      now = end;
    },

    asleep(count = 1) {
      return new Promise((resolve) => {
        const watch = (): void => {
          if (sleepers.size < count) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      });
    },
  };
}
