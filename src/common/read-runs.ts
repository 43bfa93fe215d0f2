// Reading across blocks of which some are kept here and some are below: run by run, all of them at once.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { together } from "../contract/together.ts";

/** Blocks of a disk, of which some are kept in another place. */
export interface Runs {
  /** Bytes. */
  readonly blockSize: number;
  /** Where the run of blocks of one kind ends that `block` is in, at most `end`. */
  runEnd(block: number, end: number): number;
  /** Fills `part` with what a run holds from `inner` bytes into `block` on, which is at `offset` on the disk. */
  readRun(disk: Disk, part: Uint8Array, offset: bigint, block: number, inner: number): Awaitable<void>;
}

/**
 * Fills `target` with the bytes at `offset`: at once when every run answers at once. When one fails, those under way are waited for.
 *
 * @param inner - how far into block `first` that is
 * @param last - the block that the last byte is in
 */
export function readRuns(
  runs: Runs,
  disk: Disk,
  target: Uint8Array,
  offset: bigint,
  first: number,
  inner: number,
  last: number,
): Awaitable<void> {
  let later: PromiseLike<void>[] | undefined;
  for (let block = first, at = 0; block <= last; ) {
    const end = runs.runEnd(block, last + 1);
    const stop = Math.min(target.length, (end - first) * runs.blockSize - inner);
    const part = at === 0 && stop === target.length ? target : target.subarray(at, stop);
    let done: Awaitable<void>;
    try {
      done = runs.readRun(disk, part, offset + BigInt(at), block, at === 0 ? inner : 0);
    } catch (error) {
      if (later === undefined) throw error;
      done = Promise.reject(error);
    }
    if (isPromise(done)) {
      later ??= [];
      later.push(done);
    }
    at = stop;
    block = end;
  }
  if (later === undefined) return undefined;
  return later.length === 1 ? later[0] : together(later);
}
