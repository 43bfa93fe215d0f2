// Which bytes of a read have not come yet. Each must come exactly once, in chunks of any order.

/** A reply that leaves more gaps than this at a time is an attack on our memory. */
const MAX_GAPS = 16_384;

/** The bytes of a range that are still missing. */
export class Gaps {
  /** Start and end of each gap, ascending. */
  readonly #edges: number[];

  constructor(length: number) {
    this.#edges = length > 0 ? [0, length] : [];
  }

  /** How many bytes are missing. */
  get missing(): number {
    let sum = 0;
    for (let i = 0; i < this.#edges.length; i += 2) sum += (this.#edges[i + 1] as number) - (this.#edges[i] as number);
    return sum;
  }

  /** Fills a part of a gap. False when some of these bytes were there before, are not in the range at all, or too many gaps would be left. */
  fill(start: number, length: number): boolean {
    const end = start + length;
    const at = this.#find(start);
    if (at < 0) return false;
    const gapStart = this.#edges[at] as number;
    const gapEnd = this.#edges[at + 1] as number;
    if (end > gapEnd) return false;
    if (start === gapStart) {
      if (end === gapEnd) this.#edges.splice(at, 2);
      else this.#edges[at] = end;
    } else if (end === gapEnd) {
      this.#edges[at + 1] = start;
    } else {
      if (this.#edges.length === 2 * MAX_GAPS) return false;
      this.#edges.splice(at + 1, 0, start, end);
    }
    return true;
  }

  /** The index of the gap that `position` is in; -1 when it is in none. */
  #find(position: number): number {
    let low = 0;
    let high = this.#edges.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#edges[2 * middle + 1] as number) <= position) low = middle + 1;
      else high = middle;
    }
    const start = this.#edges[2 * low];
    return start !== undefined && start <= position ? 2 * low : -1;
  }
}
