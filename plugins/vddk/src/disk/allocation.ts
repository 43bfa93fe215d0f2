// Which parts of a disk are allocated, as the library was asked: remembered, since asking a server takes long and clients ask before every large read.

import type { Extent } from "diskwright";
import { CHUNK, SECTOR } from "../jobs.ts";

/** Bytes of a chunk, the unit of all this. */
const BYTES = BigInt(CHUNK * SECTOR);
/** Chunks of a window, which is asked for at once: 4 GiB. The library takes up to 512 Ki. */
const WINDOW = 65_536n;
/** Windows that are remembered: at most 32 MiB of memory in all. */
const KEPT = 64;

/** Pairs of the first chunk and the one after the last, ascending. */
type Runs = readonly (readonly [start: bigint, end: bigint])[];

interface Window {
  /** Settles with what is allocated; `undefined`: nobody knows. */
  asked: Promise<Runs | undefined>;
  /** What was written since: it is allocated now, whatever the library answered. */
  written: [start: bigint, end: bigint][];
}

/** Asks the library. Answers with pairs of sector and length; `undefined` where it does not know. */
export type Ask = (sector: bigint, count: bigint) => Promise<BigUint64Array | undefined>;

export class Allocation {
  readonly #chunks: bigint;
  readonly #ask: Ask;
  readonly #zero: boolean;
  /** The one that was used last comes last. */
  readonly #windows: Map<bigint, Window> = new Map();

  /**
   * @param size - of the disk, in bytes; what is left over after the last whole chunk counts as allocated, as the library cannot be asked about it
   * @param zero - whether what is not allocated reads as zeroes
   */
  constructor(size: bigint, zero: boolean, ask: Ask) {
    this.#chunks = size / BYTES;
    this.#zero = zero;
    this.#ask = ask;
  }

  /** Lists the holes of a range. */
  async *holes(offset: bigint, length: bigint): AsyncGenerator<Extent> {
    const first = offset / BYTES;
    const last = least((offset + length + BYTES - 1n) / BYTES, this.#chunks);
    for (let at = first; at < last; ) {
      const index = at / WINDOW;
      const end = least((index + 1n) * WINDOW, last);
      for (const [start, stop] of (await this.#runs(index)) ?? [[at, end]]) {
        if (stop <= at) continue;
        if (start >= end) break;
        if (start > at) yield this.#hole(at, start);
        at = stop;
      }
      if (at < end) yield this.#hole(at, end);
      at = end;
    }
  }

  /** A range was, or is being, written. */
  written(offset: bigint, length: number): void {
    const start = offset / BYTES;
    const end = (offset + BigInt(length) - 1n) / BYTES + 1n;
    for (let index = start / WINDOW; index * WINDOW < end; index += 1n) {
      const window = this.#windows.get(index);
      if (window === undefined) continue;
      const last = window.written.at(-1);
      // Disks are mostly written from front to back.
      if (last !== undefined && last[0] <= start && start <= last[1]) last[1] = end > last[1] ? end : last[1];
      else window.written.push([start, end]);
    }
  }

  #hole(start: bigint, end: bigint): Extent {
    return { offset: start * BYTES, length: (end - start) * BYTES, hole: true, zero: this.#zero };
  }

  async #runs(index: bigint): Promise<Runs | undefined> {
    const window = this.#windows.get(index) ?? this.#begin(index);
    this.#windows.delete(index);
    this.#windows.set(index, window);
    const runs = await window.asked;
    if (runs === undefined || window.written.length === 0) return runs;
    const all = merged([...runs, ...window.written.splice(0)]);
    window.asked = Promise.resolve(all);
    return all;
  }

  #begin(index: bigint): Window {
    const start = index * WINDOW;
    const end = least(start + WINDOW, this.#chunks);
    const asked = this.#ask(start * BigInt(CHUNK), (end - start) * BigInt(CHUNK)).then((pairs) => pairs && toRuns(pairs));
    const window: Window = { asked, written: [] };
    // What failed is asked again.
    asked.catch(() => this.#windows.get(index) === window && this.#windows.delete(index));
    if (this.#windows.size >= KEPT) this.#windows.delete(this.#windows.keys().next().value as bigint);
    return window;
  }
}

/** From sectors to chunks; where the library answers in smaller pieces, the chunk that has one of them is allocated. */
function toRuns(pairs: BigUint64Array): Runs {
  const runs: [bigint, bigint][] = [];
  const chunk = BigInt(CHUNK);
  for (let i = 0; i < pairs.length; i += 2) {
    const sector = pairs[i] as bigint;
    runs.push([sector / chunk, (sector + (pairs[i + 1] as bigint) + chunk - 1n) / chunk]);
  }
  return merged(runs);
}

function merged(runs: readonly (readonly [bigint, bigint])[]): Runs {
  const result: [bigint, bigint][] = [];
  for (const [start, end] of runs.toSorted((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const last = result.at(-1);
    if (last === undefined || start > last[1]) result.push([start, end]);
    else if (end > last[1]) last[1] = end;
  }
  return result;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
