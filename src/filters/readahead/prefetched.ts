// What was read ahead for one client, on disks that have no place of their own for it.

import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import type { Range } from "./sequence.ts";

/** Bytes that are read ahead with one request. */
const PIECE = 256 * 1024;

interface Piece extends Range {
  readonly bytes: Uint8Array;
  /** Whether the bytes have arrived; settles when they have, or will not. */
  readonly arrived: Promise<boolean>;
  /** Somebody has written there since. */
  stale: boolean;
}

/** Pieces of the disk that a client is expected to read next. */
export class Prefetched {
  readonly #disk: Disk;
  readonly #pieces: Piece[] = [];
  /** The disk below answers at once: there is nothing to gain. */
  #pointless = false;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Whether nothing is kept. */
  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Begins to read a range. What fails is not kept: the client's own read will tell. */
  fetch({ start, end }: Range): void {
    const most = BigInt(Math.min(PIECE, this.#disk.blockSize?.maximum ?? PIECE));
    for (let at = start; at < end && !this.#pointless; at += most) this.#fetch(at, at + most < end ? at + most : end);
  }

  /** Fills `target` from what was read ahead; `undefined` when that does not have all of it. False: it did not arrive, or is out of date. */
  take(target: Uint8Array, offset: bigint): Promise<boolean> | undefined {
    const end = offset + BigInt(target.length);
    const pieces: Piece[] = [];
    let at = offset;
    for (const piece of this.#pieces) {
      if (piece.end <= at || piece.start > at || at >= end) continue;
      pieces.push(piece);
      at = piece.end;
    }
    const all = at >= end;
    this.#forget((piece) => piece.end <= (all ? end : offset));
    if (!all) return undefined;
    return copy(pieces, target, offset);
  }

  /** Somebody writes to a range: what was read of it is out of date. */
  invalidate(offset: bigint, end: bigint): void {
    this.#forget((piece) => {
      if (piece.end <= offset || piece.start >= end) return false;
      piece.stale = true;
      return true;
    });
  }

  /** Forgets everything. */
  clear(): void {
    this.#pieces.length = 0;
  }

  #fetch(start: bigint, end: bigint): void {
    const bytes = new Uint8Array(Number(end - start));
    let done: Awaitable<void>;
    try {
      done = this.#disk.read(bytes, start);
    } catch {
      return;
    }
    if (!isPromise(done)) {
      this.#pointless = true;
      this.clear();
      return;
    }
    const arrived = Promise.resolve(done).then(
      () => true,
      () => {
        this.#forget((other) => other === piece);
        return false;
      },
    );
    const piece: Piece = { start, end, bytes, arrived, stale: false };
    this.#pieces.push(piece);
  }

  #forget(which: (piece: Piece) => boolean): void {
    for (let i = this.#pieces.length - 1; i >= 0; i -= 1) if (which(this.#pieces[i] as Piece)) this.#pieces.splice(i, 1);
  }
}

async function copy(pieces: readonly Piece[], target: Uint8Array, offset: bigint): Promise<boolean> {
  for (const piece of pieces) {
    if (!(await piece.arrived) || piece.stale) return false;
    const from = piece.start > offset ? 0 : Number(offset - piece.start);
    const at = piece.start > offset ? Number(piece.start - offset) : 0;
    target.set(piece.bytes.subarray(from, from + target.length - at), at);
  }
  return !pieces.some(({ stale }) => stale);
}
