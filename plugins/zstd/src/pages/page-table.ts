// What is known of each page of a disk: a sparse table of numbers in two levels, of a size that follows what was written.

/** Bytes of a page: as many as nbdkit's. Larger ones compress a little better, and make small reads and writes dear. */
export const PAGE: number = 32 * 1024;

/** Never written, or given up. */
export const HOLE = 0;
/** Zeroes that count as allocated. */
export const RESERVED = 1;
/** Written, and so far only among the hot pages. */
export const HOT = 2;
/** This and everything above: where the compressed page is. */
export const STORED = 3;

const PAGE_BITS = 15n;
/** Pages that a leaf covers: 8 MiB of the disk. */
const LEAF = 256;

/** The page that holds a byte. */
export function pageOf(offset: bigint): number {
  return Number(offset >> PAGE_BITS);
}

/** Where on the disk a page starts. */
export function offsetOf(page: number): bigint {
  return BigInt(page) << PAGE_BITS;
}

interface Leaf {
  readonly entries: Float64Array;
  /** How many of them are not HOLE. */
  used: number;
}

/** Pages in a row of which the same is known: hole, allocated zeroes or data. */
export interface Run {
  readonly first: number;
  readonly end: number;
  readonly kind: typeof HOLE | typeof RESERVED | typeof HOT;
}

/** Maps pages to numbers. */
export class PageTable {
  readonly #leaves: Map<number, Leaf> = new Map();

  get(page: number): number {
    const index = Math.floor(page / LEAF);
    return this.#leaves.get(index)?.entries[page - index * LEAF] ?? HOLE;
  }

  set(page: number, entry: number): void {
    const index = Math.floor(page / LEAF);
    const slot = page - index * LEAF;
    let leaf = this.#leaves.get(index);
    if (leaf === undefined) {
      if (entry === HOLE) return;
      leaf = { entries: new Float64Array(LEAF), used: 0 };
      this.#leaves.set(index, leaf);
    }
    leaf.used += (entry === HOLE ? 0 : 1) - (leaf.entries[slot] === HOLE ? 0 : 1);
    leaf.entries[slot] = entry;
    if (leaf.used === 0) this.#leaves.delete(index);
  }

  /** The pages from `first` up to, not including, `end` that are no holes, in order. They may be changed meanwhile. */
  *used(first: number, end: number): Generator<number> {
    for (const index of this.#indexes(first, end)) {
      const leaf = this.#leaves.get(index);
      if (leaf === undefined) continue;
      const base = index * LEAF;
      for (let page = Math.max(first, base); page < Math.min(end, base + LEAF); page += 1) {
        if (leaf.entries[page - base] !== HOLE) yield page;
      }
    }
  }

  /** What is known of the pages of a range, in runs without gaps. */
  *runs(first: number, end: number): Generator<Run> {
    let from = first;
    let next = first;
    let kind: Run["kind"] = HOLE;
    for (const page of this.used(first, end)) {
      const own = Math.min(this.get(page), HOT) as Run["kind"];
      if (page > next || own !== kind) {
        if (next > from) yield { first: from, end: next, kind };
        if (page > next) yield { first: next, end: page, kind: HOLE };
        from = page;
        kind = own;
      }
      next = page + 1;
    }
    if (next > from) yield { first: from, end: next, kind };
    if (end > next) yield { first: next, end, kind: HOLE };
  }

  /** The numbers, in order, of the leaves that have pages in the range. Takes time for what is there, not for the length of the range. */
  #indexes(first: number, end: number): readonly number[] {
    if (first >= end) return [];
    const from = Math.floor(first / LEAF);
    const to = Math.floor((end - 1) / LEAF);
    if (to - from < this.#leaves.size) return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    return [...this.#leaves.keys()].filter((index) => index >= from && index <= to).sort((a, b) => a - b);
  }
}
