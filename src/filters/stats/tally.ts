// What has been counted: requests, bytes and time of each kind, and how their sizes and alignments were spread.

import type { Witnessed } from "../../common/witnessed.ts";
import type { Clock } from "../../contract/clock.ts";
import type { OperationStats, Stats } from "../stats.ts";

/** Requests of sizes from 2^n to 2^(n+1)-1. */
export interface SizeGroup {
  /** n. */
  readonly bits: number;
  requests: number;
  bytes: bigint;
  /** How many of them were at offsets with exactly so many low bits of zero; those at offset 0 stand last. */
  readonly aligned: number[];
}

/** Offsets are below 2^63: one that is 0 is aligned to anything. */
export const ALIGNED_TO_ALL = 64;

/** What was counted of one kind of requests. */
export class OperationTally implements OperationStats {
  operations = 0;
  bytes = 0n;
  milliseconds = 0;
  readonly groups: Map<number, SizeGroup> = new Map();

  snapshot(): OperationStats {
    const { operations, bytes, milliseconds } = this;
    return { operations, bytes, milliseconds };
  }
}

/** All of it. */
export class Tally implements Stats {
  readonly read: OperationTally = new OperationTally();
  readonly write: OperationTally = new OperationTally();
  readonly trim: OperationTally = new OperationTally();
  readonly zero: OperationTally = new OperationTally();
  readonly extents: OperationTally = new OperationTally();
  readonly cache: OperationTally = new OperationTally();
  readonly flush: OperationTally = new OperationTally();
  readonly #clock: Clock;
  readonly #spread: boolean;
  readonly #start: number;

  /**
   * @param spread - whether sizes and alignments are counted
   */
  constructor(clock: Clock, spread: boolean) {
    this.#clock = clock;
    this.#spread = spread;
    this.#start = clock.now();
  }

  get milliseconds(): number {
    return this.#clock.now() - this.#start;
  }

  add(operation: Witnessed, offset: bigint, length: bigint, milliseconds: number): void {
    const tally = this[operation];
    tally.operations += 1;
    tally.bytes += length;
    tally.milliseconds += milliseconds;
    if (!this.#spread || length === 0n) return;
    const bits = lengthInBits(length) - 1;
    let group = tally.groups.get(bits);
    if (group === undefined) {
      group = { bits, requests: 0, bytes: 0n, aligned: new Array<number>(ALIGNED_TO_ALL + 1).fill(0) };
      tally.groups.set(bits, group);
    }
    group.requests += 1;
    group.bytes += length;
    const zeroes = offset === 0n ? ALIGNED_TO_ALL : lengthInBits(offset & -offset) - 1;
    group.aligned[zeroes] = (group.aligned[zeroes] as number) + 1;
  }

  /** The numbers as they are now. */
  snapshot(): Stats {
    const { milliseconds, read, write, trim, zero, extents, cache, flush } = this;
    return {
      milliseconds,
      read: read.snapshot(),
      write: write.snapshot(),
      trim: trim.snapshot(),
      zero: zero.snapshot(),
      extents: extents.snapshot(),
      cache: cache.snapshot(),
      flush: flush.snapshot(),
    };
  }
}

/** How many bits it takes to write a number down. */
function lengthInBits(value: bigint): number {
  const high = Number(value >> 32n);
  return high === 0 ? 32 - Math.clz32(Number(value)) : 64 - Math.clz32(high);
}
