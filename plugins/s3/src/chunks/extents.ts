// The holes of a chunked disk: objects that are not there.

import type { Extent } from "diskwright";
import type { Store } from "./store.ts";

/** So many pages of names are listed for one answer; the client asks again from where they end. */
const PAGES = 8;

/** Lists what a range holds. Objects that are not stored yet count as data. */
export async function* extents(
  store: Store,
  offset: bigint,
  length: bigint,
  reqOne: boolean,
  signal: AbortSignal,
): AsyncGenerator<Extent, void, undefined> {
  const { bucket, names, objectSize } = store.settings;
  const unit = BigInt(objectSize);
  const first = Number(offset / unit);
  const last = Number((offset + length - 1n) / unit);
  const extent = (from: number, to: number, hole: boolean): Extent => ({
    offset: BigInt(from) * unit,
    length: BigInt(to - from) * unit,
    ...(hole && { hole, zero: true }),
  });
  const pages = bucket.list(names.prefix, first === 0 ? undefined : names.of(first - 1), signal);
  let next = first;
  for (let page = 0; page < (reqOne ? 1 : PAGES) && next <= last; page += 1) {
    // Noted before the list is made: what is stored while it is made may be missing in it.
    const dirty = store.dirtyIn(next, last);
    const answer = await pages.next();
    const stored = answer.done === true ? [] : answer.value.flatMap(({ key }) => names.numberOf(key) ?? []);
    const listed = stored.at(-1) ?? -1;
    // An answer without our objects, and after which there is more, says nothing of the range.
    const end = answer.done === true || listed > last ? last : Math.min(listed, last);
    const there = [...new Set([...stored, ...dirty])].filter((number) => number >= next && number <= end).sort((a, b) => a - b);
    for (const number of there) {
      if (number > next) yield extent(next, number, true);
      yield extent(number, number + 1, false);
      next = number + 1;
    }
    if (next <= end) {
      yield extent(next, end + 1, true);
      next = end + 1;
    }
  }
}
