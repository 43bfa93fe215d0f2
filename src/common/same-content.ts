// Whether a disk holds certain bytes already.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { readPieces } from "./pieces.ts";

/** Bytes that are compared with zeroes at once. */
const SLICE = 1024 * 1024;

/** A byte that is not what it should be. */
export interface Difference {
  readonly offset: bigint;
  readonly found: number;
  readonly expected: number;
}

/** Compares `expected` with what the disk holds at `offset`; answers with the first byte that differs. */
export function difference(disk: Disk, expected: Uint8Array, offset: bigint): Awaitable<Difference | undefined> {
  const lent = disk.views?.(offset, expected.length);
  if (lent !== undefined) {
    let at = 0;
    for (const view of lent) {
      const first = compare(view, expected.subarray(at, at + view.length), offset + BigInt(at));
      if (first !== undefined) return first;
      at += view.length;
    }
    return undefined;
  }
  const found = new Uint8Array(expected.length);
  const done = readPieces(disk, found, offset);
  return isPromise(done) ? done.then(() => compare(found, expected, offset)) : compare(found, expected, offset);
}

/** Answers with the first byte from `start` to before `end` that is not zero. What the disk knows to be zeroes is not read. */
export async function notZero(disk: Disk, start: bigint, end: bigint, signal: AbortSignal): Promise<Difference | undefined> {
  for (let at = start; at < end; ) {
    for (const { offset, length, zero } of await disk.extents(at, end - at)) {
      at = offset + length;
      const first = zero === true ? undefined : await notZeroData(disk, offset, at, signal);
      if (first !== undefined) return first;
    }
  }
  return undefined;
}

async function notZeroData(disk: Disk, start: bigint, end: bigint, signal: AbortSignal): Promise<Difference | undefined> {
  const zeroes = new Uint8Array(end - start < SLICE ? Number(end - start) : SLICE);
  for (let at = start; at < end; at += BigInt(SLICE)) {
    const first = await difference(disk, end - at < zeroes.length ? zeroes.subarray(0, Number(end - at)) : zeroes, at);
    if (first !== undefined) return first;
    // A disk that answers at once would keep everybody else waiting.
    if (end - at > SLICE) await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  return undefined;
}

function compare(found: Uint8Array, expected: Uint8Array, offset: bigint): Difference | undefined {
  if (Buffer.compare(found, expected) === 0) return undefined;
  const index = found.findIndex((byte, i) => byte !== expected[i]);
  return { offset: offset + BigInt(index), found: found[index] ?? 0, expected: expected[index] ?? 0 };
}
