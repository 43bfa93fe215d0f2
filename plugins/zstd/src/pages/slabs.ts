// The memory that compressed pages are kept in: buffers divided into slots of one size each, so that any slot that was freed can be used again.

import { DiskError } from "diskwright";
import { PAGE } from "./page-table.ts";

/** Slots come in multiples of this: a page wastes half of it on average. */
const STEP = 512;
/** Bytes of a buffer. The first of each size is smaller: a small disk takes little. */
const LARGEST = 256 * 1024;
const SMALLEST = 32 * 1024;
const SLOTS: number = LARGEST / STEP;

interface Slab {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly slot: number;
  /** Bytes in each slot that are in use; a page that was not compressed takes all of PAGE. */
  readonly lengths: Uint16Array;
  readonly free: number[];
  /** Slots that were given out at least once. */
  used: number;
}

/** Keeps pieces of up to a page, each known by an id from 0 on. */
export class Slabs {
  readonly #limit: number;
  readonly #slabs: (Slab | undefined)[] = [];
  readonly #unused: number[] = [];
  /** For each size of slot the slabs that have a free one. */
  readonly #open: Set<Slab>[] = Array.from({ length: PAGE / STEP + 1 }, () => new Set());
  #held = 0;
  #stored = 0;

  /** @param limit - bytes of memory that it may take */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of memory that it takes. */
  get held(): number {
    return this.#held;
  }

  /** Bytes of the pieces themselves. */
  get stored(): number {
    return this.#stored;
  }

  /**
   * Keeps a piece.
   *
   * @throws DiskError ENOSPC when there is no memory for it
   */
  put(piece: Uint8Array): number {
    const size = Math.ceil(piece.length / STEP);
    const open = this.#open[size] as Set<Slab>;
    const [first] = open;
    const slab = first ?? this.#next(size);
    const slot = slab.free.pop() ?? slab.used++;
    slab.bytes.set(piece, slot * slab.slot);
    slab.lengths[slot] = piece.length;
    this.#stored += piece.length;
    if (slab.free.length === 0 && slab.used === slab.lengths.length) open.delete(slab);
    return slab.index * SLOTS + slot;
  }

  /** Puts another piece in the place of one; answers its id. Where there is no memory, the first stays. */
  replace(id: number, piece: Uint8Array): number {
    const { slab, slot } = this.#find(id);
    if (Math.ceil(piece.length / STEP) * STEP !== slab.slot) {
      const next = this.put(piece);
      this.free(id);
      return next;
    }
    slab.bytes.set(piece, slot * slab.slot);
    this.#stored += piece.length - (slab.lengths[slot] as number);
    slab.lengths[slot] = piece.length;
    return id;
  }

  /** A piece, valid until it is replaced or freed. */
  get(id: number): Uint8Array {
    const { slab, slot } = this.#find(id);
    const start = slot * slab.slot;
    return slab.bytes.subarray(start, start + (slab.lengths[slot] as number));
  }

  free(id: number): void {
    const { slab, slot } = this.#find(id);
    const open = this.#open[slab.slot / STEP] as Set<Slab>;
    this.#stored -= slab.lengths[slot] as number;
    slab.free.push(slot);
    if (slab.free.length < slab.used) {
      open.add(slab);
      return;
    }
    open.delete(slab);
    this.#slabs[slab.index] = undefined;
    this.#unused.push(slab.index);
    this.#held -= slab.bytes.length;
  }

  #find(id: number): { readonly slab: Slab; readonly slot: number } {
    const index = Math.floor(id / SLOTS);
    return { slab: this.#slabs[index] as Slab, slot: id - index * SLOTS };
  }

  #next(size: number): Slab {
    const slot = size * STEP;
    const others = this.#held / 64;
    const length = Math.max(slot, Math.floor(Math.min(LARGEST, Math.max(SMALLEST, others)) / slot) * slot);
    if (this.#held + length > this.#limit) throw noMemory(`${this.#limit} bytes are all that it may take`);
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(length);
    } catch (error) {
      throw noMemory(String(error), error);
    }
    const index = this.#unused.pop() ?? this.#slabs.length;
    const slab: Slab = { index, bytes, slot, lengths: new Uint16Array(length / slot), free: [], used: 0 };
    this.#slabs[index] = slab;
    (this.#open[size] as Set<Slab>).add(slab);
    this.#held += length;
    return slab;
  }
}

function noMemory(why: string, cause?: unknown): DiskError {
  return new DiskError("ENOSPC", `cannot write: there is no memory left for compressed pages (${why})`, { cause });
}
