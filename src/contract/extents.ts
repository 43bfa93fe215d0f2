// From what an author lists to what a user may rely on: cropped, without gaps, equal neighbours merged, bounded.

import { type Awaitable, isPromise } from "./awaitable.ts";
import type { Extent, StatusExtent } from "./connection.ts";
import { DiskError } from "./error.ts";

/** At most so many extents are listed at once; the caller asks again from where they end. */
export const MAX_EXTENTS: number = 2 ** 20;

type List<T> = Iterable<T> | AsyncIterable<T>;

/** Completes a list of `base:allocation` extents for the range. */
export function completeExtents(
  list: Awaitable<List<Extent>>,
  offset: bigint,
  length: bigint,
  reqOne: boolean,
): Awaitable<readonly Extent[]> {
  // The commonest answer, and one that servers ask for before each large read: nothing but data.
  if (Array.isArray(list) && list.length === 0) return [{ offset, length, hole: false, zero: false }];
  return collect(
    list,
    new Collector<Extent>(
      offset,
      length,
      reqOne,
      (start, bytes, extent) => ({ offset: start, length: bytes, hole: extent?.hole === true, zero: extent?.zero === true }),
      (a, b) => a.hole === b.hole && a.zero === b.zero,
    ),
  );
}

/** Completes a list of another context's extents for the range. */
export function completeStatus(
  list: Awaitable<List<StatusExtent>>,
  offset: bigint,
  length: bigint,
  reqOne: boolean,
): Awaitable<readonly StatusExtent[]> {
  return collect(
    list,
    new Collector<StatusExtent>(
      offset,
      length,
      reqOne,
      (start, bytes, extent) => ({ offset: start, length: bytes, status: extent === undefined ? 0n : checkStatus(extent) }),
      (a, b) => a.status === b.status,
    ),
  );
}

function collect<T extends Range>(list: Awaitable<List<T>>, collector: Collector<T>): Awaitable<readonly T[]> {
  if (isPromise(list)) return list.then((arrived) => collect(arrived, collector));
  if (typeof list !== "object" || list === null)
    throw new DiskError("EIO", `the disk listed no extents but ${String(list)}: expected an iterable`);
  if (Symbol.asyncIterator in list) return collectAsync(list, collector);
  for (const extent of list) if (!collector.add(extent)) break;
  return collector.finish();
}

async function collectAsync<T extends Range>(list: AsyncIterable<T>, collector: Collector<T>): Promise<readonly T[]> {
  for await (const extent of list) if (!collector.add(extent)) break;
  return collector.finish();
}

function checkStatus({ offset, status }: StatusExtent): bigint {
  if (typeof status === "bigint" && status >= 0n && status < 2n ** 64n) return status;
  throw new DiskError("EIO", `the disk listed the impossible status ${String(status)}: expected a bigint from 0n to 2n ** 64n - 1n`, {
    offset,
  });
}

interface Range {
  readonly offset: bigint;
  readonly length: bigint;
}

class Collector<T extends Range> {
  readonly #list: T[] = [];
  readonly #end: bigint;
  readonly #limit: number;
  readonly #make: (offset: bigint, length: bigint, extent: T | undefined) => T;
  readonly #same: (a: T, b: T) => boolean;
  #at: bigint;
  #seen: bigint | undefined;

  constructor(
    offset: bigint,
    length: bigint,
    reqOne: boolean,
    make: (offset: bigint, length: bigint, extent: T | undefined) => T,
    same: (a: T, b: T) => boolean,
  ) {
    this.#at = offset;
    this.#end = offset + length;
    this.#limit = reqOne ? 1 : MAX_EXTENTS;
    this.#make = make;
    this.#same = same;
  }

  /** Takes the next extent; false when nothing further is wanted. */
  add(extent: T): boolean {
    const { offset, length } = extent;
    if (typeof offset !== "bigint" || typeof length !== "bigint" || offset < 0n || length <= 0n) {
      throw new DiskError("EIO", `the disk listed an impossible extent: ${length} bytes at ${offset}`);
    }
    if (this.#seen !== undefined && offset < this.#seen) {
      throw new DiskError("EIO", `the disk listed its extents out of order: ${offset} comes after ${this.#seen}`, { offset });
    }
    this.#seen = offset + length;
    if (this.#seen <= this.#at) return true;
    if (offset >= this.#end) return false;
    if (offset > this.#at && !this.#push(offset, undefined)) return false;
    let end = this.#seen;
    if (end > this.#end) end = this.#end;
    return this.#push(end, extent) && this.#at < this.#end;
  }

  finish(): readonly T[] {
    // A list that says nothing of the range, or nothing but what lies after it, says that all of it is data.
    if (this.#list.length === 0 && this.#at < this.#end) this.#push(this.#end, undefined);
    return this.#list;
  }

  /** Adds what is between where the list ends and `end`; false when the list is full. */
  #push(end: bigint, extent: T | undefined): boolean {
    const next = this.#make(this.#at, end - this.#at, extent);
    const last = this.#list.at(-1);
    if (last !== undefined && this.#same(last, next)) {
      this.#list[this.#list.length - 1] = this.#make(last.offset, end - last.offset, extent);
    } else {
      if (this.#list.length === this.#limit) return false;
      this.#list.push(next);
    }
    this.#at = end;
    return true;
  }
}
