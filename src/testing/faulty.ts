// Disks that fail and hang on purpose, for tests of what stands above them.

import { type Awaitable, andThen, DiskError, type Filter } from "../contract/index.ts";
import type { Call, Operation } from "./call.ts";
import { intercept } from "./intercept.ts";

/** Something that befalls calls; see {@link fail} and {@link hold}. */
export interface Fault {
  /** Called before the call goes on: may throw, or keep it waiting. */
  befall(call: Call): Awaitable<void>;
}

/** Which calls of an operation a {@link Fault} befalls. All of them, unless said otherwise. */
export interface When {
  /** Only from the nth such call on, the first being 1. */
  readonly nth?: number;
  /** Only so many of them. Default: 1 with `nth`, else all. */
  readonly times?: number;
  /** Only those whose range has this byte of the disk in it. */
  readonly at?: bigint;
}

/** How a call is to {@link fail}. */
export interface Failure extends When {
  /** Default: `EIO`. */
  readonly code?: string;
  /** The error's text. */
  readonly message?: string;
}

/** Keeps calls waiting; made by {@link hold}. */
export interface Hold extends Fault {
  /** Settles with the first call that is kept waiting. */
  readonly arrived: Promise<Call>;
  /** Lets go on what waits, and what comes later. */
  release(): void;
}

/**
 * A filter that does to the disk below what its faults say, each being asked in turn.
 *
 * @example A disk whose third write finds it full, and one with a bad sector
 * ```ts
 * const full = pipe(ram(4096), faulty(fail("write", { nth: 3, code: "ENOSPC" })));
 * const bad = pipe(ram(4096), faulty(fail("read", { at: 1024n })));
 * ```
 */
export function faulty(...faults: readonly Fault[]): Filter {
  const befall = (call: Call, index: number): Awaitable<void> => {
    const fault = faults[index];
    return fault === undefined ? undefined : andThen(fault.befall(call), () => befall(call, index + 1));
  };
  return intercept("faulty", (call) => befall(call, 0));
}

/** Makes calls of an operation fail. */
export function fail(operation: Operation, failure: Failure = {}): Fault {
  const { code = "EIO", message = `a fault of ${operation}, made on purpose`, at } = failure;
  const applies = counted(operation, failure);
  return {
    befall(call) {
      if (applies(call)) throw new DiskError(code, message, at === undefined ? {} : { offset: at });
    },
  };
}

/**
 * Keeps calls of an operation waiting until they are released.
 *
 * @example Closing while a read is under way
 * ```ts
 * const held = hold("read");
 * const disk = await openDisk(pipe(ram(4096), faulty(held)));
 * const reading = disk.read(new Uint8Array(512), 0n);
 * await held.arrived;
 * const closing = disk.close();
 * held.release();
 * await Promise.all([reading, closing]);
 * ```
 */
export function hold(operation: Operation, when: When = {}): Hold {
  const applies = counted(operation, when);
  let arrive!: (call: Call) => void;
  let letGo!: () => void;
  const arrived = new Promise<Call>((resolve) => {
    arrive = resolve;
  });
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let open = false;
  return {
    arrived,
    befall(call) {
      if (open || !applies(call)) return undefined;
      arrive(call);
      return released;
    },
    release() {
      open = true;
      letGo();
    },
  };
}

/** Tells whether a call is one of those that are meant, counting as it is asked. */
function counted(
  operation: Operation,
  { nth, times = nth === undefined ? Number.POSITIVE_INFINITY : 1, at }: When,
): (call: Call) => boolean {
  let count = 0;
  const first = nth ?? 1;
  return (call) => {
    if (call.operation !== operation) return false;
    if (at !== undefined && !(call.offset !== undefined && call.offset <= at && at < call.offset + (call.length ?? 0n))) return false;
    count += 1;
    return count >= first && count < first + times;
  };
}
