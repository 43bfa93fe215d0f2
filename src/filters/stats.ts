// `stats`: what clients did, summed up in a report when the disk closes, in nbdkit's format.

import { appendFile, open, writeFile } from "node:fs/promises";
import { type Witness, type Witnessed, witnessed } from "../common/witnessed.ts";
import { wrappingFilter } from "../common/wrapping.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { DiskError } from "../contract/error.ts";
import type { Filter } from "../contract/plugin.ts";
import { formatReport } from "./stats/report.ts";
import { Tally } from "./stats/tally.ts";

/** What {@link stats} counted of one kind of requests. */
export interface OperationStats {
  /** How many requests succeeded. */
  readonly operations: number;
  /** Bytes that they were about. */
  readonly bytes: bigint;
  /** Milliseconds that they took, added up. */
  readonly milliseconds: number;
}

/** What {@link stats} counted. */
export interface Stats {
  /** Milliseconds since the disk started. */
  readonly milliseconds: number;
  readonly read: OperationStats;
  readonly write: OperationStats;
  readonly trim: OperationStats;
  readonly zero: OperationStats;
  readonly extents: OperationStats;
  readonly cache: OperationStats;
  readonly flush: OperationStats;
}

/** Where {@link stats} reports, and how much. */
export interface StatsOptions {
  /** A file for the report, written when the disk closes. */
  readonly file?: string;
  /** Adds to what is in the file. Default: false, it is replaced. */
  readonly append?: boolean;
  /** A function that gets the report, and the numbers in it, when the disk closes. */
  readonly to?: (report: string, stats: Stats) => void;
  /** Sizes and alignments are listed until they cover so many percent of the requests, the commonest first; 0 lists none. Default: 95. */
  readonly threshold?: number;
  /** Default: the time of this machine. */
  readonly clock?: Clock;
}

/** The filter that {@link stats} makes, and what it has counted so far. */
export interface StatsFilter extends Filter {
  /** What has been counted since the disk started. */
  readonly stats: Stats;
}

/**
 * Counts what clients do. The numbers can be looked at any time, and a report of them is written when the disk closes.
 *
 * @throws DiskError EINVAL for options that are not what they should be
 * @example
 * ```ts
 * const counted = stats({ file: "stats.txt" });
 * await using server = await serve(pipe(memory("1G"), counted));
 * console.log(counted.stats.read.bytes);
 * ```
 */
export function stats(options: StatsOptions = {}): StatsFilter {
  const { file, append = false, to, threshold = 95, clock = systemClock } = options;
  if (file !== undefined && (typeof file !== "string" || file === ""))
    throw new DiskError("EINVAL", `file ${JSON.stringify(file)}: expected a path`);
  if (typeof append !== "boolean") throw new DiskError("EINVAL", `append ${String(append)}: expected true or false`);
  if (to !== undefined && typeof to !== "function") throw new DiskError("EINVAL", `to ${String(to)}: expected a function`);
  if (!(typeof threshold === "number" && threshold >= 0 && threshold <= 100))
    throw new DiskError("EINVAL", `threshold ${String(threshold)}: expected percent, from 0 to 100`);
  let tally = new Tally(clock, threshold > 0);
  let appending = append;
  let users = 0;

  const over = wrappingFilter("stats", (disk) => witnessed(disk, new Requests(tally, clock)), {
    async start() {
      // Refuses service where there is no place for the report, rather than losing it at the end.
      if (file !== undefined) await (await open(file, "a")).close();
      // One filter may be laid over several disks: it counts for all of them together.
      if (users === 0) tally = new Tally(clock, threshold > 0);
      users += 1;
    },
    async close() {
      users -= 1;
      if (users > 0) return;
      const report = formatReport(tally, threshold);
      to?.(report, tally.snapshot());
      if (file === undefined) return;
      await (appending ? appendFile(file, report) : writeFile(file, report));
      // A disk that is opened anew in process adds its own.
      appending = true;
    },
  });
  return Object.defineProperty((next: Parameters<Filter>[0]) => over(next), "stats", {
    get: () => tally.snapshot(),
  }) as StatsFilter;
}

/** A request that is under way. */
interface Token {
  readonly operation: Witnessed;
  readonly offset: bigint;
  readonly length: bigint;
  readonly since: number;
}

class Requests implements Witness<Token> {
  readonly #tally: Tally;
  readonly #clock: Clock;

  constructor(tally: Tally, clock: Clock) {
    this.#tally = tally;
    this.#clock = clock;
  }

  entered(operation: Witnessed, offset: bigint, length: bigint | number): Token {
    return { operation, offset, length: BigInt(length), since: this.#clock.now() };
  }

  left({ operation, offset, length, since }: Token, failure: { readonly error: unknown } | undefined): void {
    if (failure === undefined) this.#tally.add(operation, offset, length, this.#clock.now() - since);
  }
}
