// What a sparse disk's table says of a range, as extents.

import type { Extent } from "../../contract/connection.ts";
import type { PageTable } from "./page-table.ts";
import { DATA, HOLE, offsetOf, pageFrom, pageOf } from "./pages.ts";

/** Pages of which it is quick to say that all is data: 4 MiB. */
const FEW = 128;
const ALL_DATA: readonly Extent[] = Object.freeze([]);

/** Lists the holes, allocated zeroes and data of a range. An empty list says that all of it is data. */
export function extentsOf(table: PageTable, offset: bigint, length: bigint): Iterable<Extent> {
  const end = offset + length;
  const first = pageOf(offset);
  const stop = pageFrom(end);
  // Servers ask this before every large read, to send holes as holes. For a disk that was written the short answer is ready.
  if (stop - first <= FEW && allData(table, first, stop)) return ALL_DATA;
  return list(table, offset, end, first, stop);
}

function allData(table: PageTable, first: number, stop: number): boolean {
  for (let page = first; page < stop; page++) if (table.get(page) < DATA) return false;
  return true;
}

function* list(table: PageTable, offset: bigint, end: bigint, first: number, stop: number): Generator<Extent> {
  let from = first;
  let next = first;
  let kind: number = HOLE;
  const extent = (to: number): Extent => {
    const start = offsetOf(from);
    const limit = offsetOf(to);
    const at = start < offset ? offset : start;
    return { offset: at, length: (limit < end ? limit : end) - at, hole: kind === HOLE, zero: kind !== DATA };
  };
  for (const range of table.ranges(first, stop)) {
    // What lies between two parts of the table is a hole.
    if (range.page > next && kind !== HOLE) {
      yield extent(next);
      from = next;
      kind = HOLE;
    }
    next = range.page;
    for (const id of range.ids) {
      const own = Math.min(id, DATA);
      if (own !== kind) {
        if (next > from) yield extent(next);
        from = next;
        kind = own;
      }
      next++;
    }
  }
  if (next < stop && kind !== HOLE) {
    yield extent(next);
    from = next;
    kind = HOLE;
  }
  yield extent(stop);
}
