// The table of a sparse disk's pages.

import fc from "fast-check";
import { expect, test } from "vitest";
import { PageTable } from "../../../src/plugins/memory/page-table.ts";

/** The largest page number there is, with pages of 32 KiB. */
const LAST = 2 ** 48 - 1;

function list(table: PageTable, first = 0, end = LAST + 1): [page: number, id: number][] {
  return [...table.ranges(first, end)].flatMap(({ page, ids }) =>
    [...ids].flatMap((id, i): [number, number][] => (id === 0 ? [] : [[page + i, id]])),
  );
}

test("is 0 everywhere at first", () => {
  const table = new PageTable();
  expect([table.get(0), table.get(1023), table.get(LAST)]).toEqual([0, 0, 0]);
  expect(list(table)).toEqual([]);
});

test("finds entries again, however far apart", () => {
  const table = new PageTable();
  for (const page of [LAST, 0, 2 ** 40, 1023, 1024]) table.set(page, 7);
  expect(list(table)).toEqual([0, 1023, 1024, 2 ** 40, LAST].map((page) => [page, 7]));
});

test("takes no memory for parts that are 0 again", () => {
  const table = new PageTable();
  for (let page = 0; page < 5000; page++) table.set(page, 1);
  for (let page = 0; page < 5000; page++) table.set(page, 0);
  expect([...table.ranges(0, LAST + 1)]).toEqual([]);
});

test("may be emptied while it is listed", () => {
  const table = new PageTable();
  for (let page = 500; page < 200_000; page += 100) table.set(page, page);
  for (const { page, ids } of table.ranges(1000, LAST)) {
    for (const [i, id] of ids.entries()) if (id !== 0) table.set(page + i, 0);
  }
  expect(list(table).map(([page]) => page)).toEqual([500, 600, 700, 800, 900]);
});

test("behaves as a map does", () => {
  const page = fc.oneof(fc.nat({ max: 5000 }), fc.constantFrom(1023, 1024, 2 ** 31, 2 ** 32, 2 ** 47, LAST - 1024, LAST));
  fc.assert(
    fc.property(fc.array(fc.tuple(page, fc.nat({ max: 3 })), { maxLength: 60 }), page, page, (changes, a, b) => {
      const table = new PageTable();
      const model = new Map<number, number>();
      for (const [at, id] of changes) {
        table.set(at, id);
        if (id === 0) model.delete(at);
        else model.set(at, id);
        expect(table.get(at)).toBe(id);
      }
      for (const [at] of changes) expect(table.get(at)).toBe(model.get(at) ?? 0);
      const [first, end] = [Math.min(a, b), Math.max(a, b)];
      expect(list(table, first, end)).toEqual([...model].filter(([at]) => at >= first && at < end).sort(([x], [y]) => x - y));
    }),
  );
});
