// Which page of memory holds which page of the disk: a sparse table of small integers in two levels.

/** Pages that a leaf covers: 8 MiB of the disk in 1 KiB of table, so that writes far apart cost little beside their pages. */
const LEAF_PAGES = 256;

interface Leaf {
  /** What the table holds for each of its pages. */
  readonly ids: Int32Array;
  /** How many of them are not 0. */
  used: number;
}

/** Part of a leaf: what the table holds for page `page + i` is `ids[i]`. */
export interface LeafRange {
  readonly page: number;
  readonly ids: Int32Array;
}

/** Maps page numbers, 0 to 2^48, to integers; 0 is what all of them are at first. */
export class PageTable {
  readonly #leaves: Map<number, Leaf> = new Map();
  /** The numbers of the leaves in order; made when it is wanted. */
  #sorted: readonly number[] | undefined;
  // Neighbours come in a row: the leaf last used is the likeliest.
  #lastIndex = -1;
  #last: Leaf | undefined;

  /** What is known of a page. */
  get(page: number): number {
    const index = Math.floor(page / LEAF_PAGES);
    if (index !== this.#lastIndex) {
      this.#last = this.#leaves.get(index);
      this.#lastIndex = index;
    }
    return this.#last === undefined ? 0 : (this.#last.ids[page - index * LEAF_PAGES] as number);
  }

  /** Changes it. */
  set(page: number, id: number): void {
    const index = Math.floor(page / LEAF_PAGES);
    const slot = page - index * LEAF_PAGES;
    let leaf = this.#leaves.get(index);
    if (leaf === undefined) {
      if (id === 0) return;
      leaf = { ids: new Int32Array(LEAF_PAGES), used: 0 };
      this.#leaves.set(index, leaf);
      this.#sorted = undefined;
      this.#lastIndex = -1;
    }
    leaf.used += (id === 0 ? 0 : 1) - (leaf.ids[slot] === 0 ? 0 : 1);
    leaf.ids[slot] = id;
    if (leaf.used > 0) return;
    this.#leaves.delete(index);
    this.#sorted = undefined;
    this.#lastIndex = -1;
  }

  /**
   * Lists, in order, the parts of the table that overlap the pages from `first` up to, not including, `end` and hold anything but 0. Takes time for
   * what is there, not for the length of the range. Entries of the part at hand may be changed meanwhile.
   */
  *ranges(first: number, end: number): Generator<LeafRange> {
    for (const index of this.#indexes(first, end)) {
      const ids = this.#leaves.get(index)?.ids;
      if (ids === undefined) continue;
      const base = index * LEAF_PAGES;
      const from = Math.max(0, first - base);
      yield { page: base + from, ids: ids.subarray(from, Math.min(LEAF_PAGES, end - base)) };
    }
  }

  /** The numbers, in order, of the leaves that have pages in the range. */
  *#indexes(first: number, end: number): Generator<number> {
    if (first >= end) return;
    const from = Math.floor(first / LEAF_PAGES);
    const to = Math.floor((end - 1) / LEAF_PAGES);
    if (to - from < this.#leaves.size) {
      for (let index = from; index <= to; index++) yield index;
      return;
    }
    this.#sorted ??= [...this.#leaves.keys()].sort((a, b) => a - b);
    // While the caller empties leaves the list at hand stays the one to follow.
    for (const index of this.#sorted) if (index >= from && index <= to) yield index;
  }
}
