// Which bytes of an object are known: ranges that ascend and do not touch.

/** A set of bytes, as ranges. */
export class Ranges {
  /** Start and end of each range, one after the other. */
  #edges: number[] = [];

  /** Adds the bytes from `start` to before `end`. */
  add(start: number, end: number): void {
    const edges = this.#edges;
    // The usual cases: the first range, and one that goes on where the last ended.
    const last = edges.at(-1);
    if (last === undefined || start > last) {
      edges.push(start, end);
      return;
    }
    if (start === last) {
      edges[edges.length - 1] = end;
      return;
    }
    const merged: number[] = [];
    let from = start;
    let to = end;
    for (let i = 0; i < edges.length; i += 2) {
      const [a, b] = [edges[i] as number, edges[i + 1] as number];
      if (b < from) {
        merged.push(a, b);
      } else if (a > to) {
        merged.push(from, to, ...edges.slice(i));
        this.#edges = merged;
        return;
      } else {
        from = Math.min(from, a);
        to = Math.max(to, b);
      }
    }
    merged.push(from, to);
    this.#edges = merged;
  }

  /** Whether all bytes from `start` to before `end` are in the set. */
  has(start: number, end: number): boolean {
    const edges = this.#edges;
    for (let i = 0; i < edges.length; i += 2) if ((edges[i] as number) <= start && end <= (edges[i + 1] as number)) return true;
    return false;
  }

  /** The ranges below `end` that are not in the set. */
  *gaps(end: number): Generator<readonly [start: number, end: number], void, undefined> {
    let at = 0;
    for (let i = 0; i < this.#edges.length; i += 2) {
      if ((this.#edges[i] as number) > at) yield [at, this.#edges[i] as number];
      at = this.#edges[i + 1] as number;
    }
    if (at < end) yield [at, end];
  }
}
