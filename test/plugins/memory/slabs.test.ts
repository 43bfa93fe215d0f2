// The memory behind the pages of a sparse disk.

import { expect, test } from "vitest";
import { PAGE } from "../../../src/plugins/memory/pages.ts";
import { Slabs } from "../../../src/plugins/memory/slabs.ts";

/** Pages of the largest slab. */
const LARGEST = 1024;

function allocate(slabs: Slabs, count: number): number[] {
  return Array.from({ length: count }, (_, owner) => {
    const id = slabs.allocate(owner);
    mark(slabs, id, owner);
    return id;
  });
}

/** Writes a page's owner into it. */
function mark(slabs: Slabs, id: number, owner: number): void {
  new DataView(slabs.bytes(id).buffer).setFloat64(slabs.start(id), owner);
}

function marked(slabs: Slabs, id: number): number {
  return new DataView(slabs.bytes(id).buffer).getFloat64(slabs.start(id));
}

test("pages are zero, apart from each other, and known by ids above the table's own 0 and 1", () => {
  const slabs = new Slabs(10_000);
  const ids = allocate(slabs, 3000);
  expect(Math.min(...ids)).toBeGreaterThan(1);
  expect(new Set(ids).size).toBe(3000);
  expect(ids.map((id) => marked(slabs, id))).toEqual(ids.map((_, owner) => owner));
  const fresh = slabs.allocate(0);
  expect(
    slabs
      .bytes(fresh)
      .subarray(slabs.start(fresh), slabs.start(fresh) + PAGE)
      .every((byte) => byte === 0),
  ).toBe(true);
  expect(slabs.live).toBe(3001);
});

test("pages that are given out one after the other lie so in memory, up to the end of a slab", () => {
  const slabs = new Slabs(10_000);
  const ids = allocate(slabs, 5000);
  for (let i = 1; i < ids.length; i++) {
    const [before, id] = [ids[i - 1] as number, ids[i] as number];
    const together = slabs.bytes(before) === slabs.bytes(id) && slabs.start(id) === slabs.start(before) + PAGE;
    expect(slabs.adjacent(before, id)).toBe(together);
  }
  expect(new Set(ids.map((id) => slabs.bytes(id))).size).toBeLessThan(12);
});

test("a small disk takes a small slab, and never a larger one than it can fill", () => {
  for (const [limit, bytes] of [
    [3, 3 * PAGE],
    [1_000_000, 2 ** 20],
  ] as const) {
    const slabs = new Slabs(limit);
    expect(slabs.bytes(slabs.allocate(0))).toHaveLength(bytes);
  }
});

test("a page that was freed is not given out again", () => {
  const slabs = new Slabs(10_000);
  const ids = allocate(slabs, 100);
  const before = ids.map((id) => slabs.bytes(id).subarray(slabs.start(id), slabs.start(id) + PAGE));
  for (const id of ids) slabs.free(id);
  for (const id of allocate(slabs, 3000)) slabs.bytes(id).fill(0xff, slabs.start(id), slabs.start(id) + PAGE);
  for (const [owner, page] of before.entries()) expect(new DataView(page.buffer).getFloat64(page.byteOffset)).toBe(owner);
});

test("tidying up moves what lives together and leaves at most as much dead memory as living, and a slab", () => {
  const slabs = new Slabs(100_000);
  const table = new Map(allocate(slabs, 20 * LARGEST).map((id, owner) => [owner, id]));
  for (const [owner, id] of table) {
    if (owner % 10 === 0) continue;
    slabs.free(id);
    table.delete(owner);
  }
  expect(slabs.wasteful).toBe(true);
  let turns = 0;
  let moves = 0;
  for (; slabs.wasteful && turns < 1000; turns++) {
    slabs.compact(128, (owner, id) => {
      expect(table.has(owner)).toBe(true);
      table.set(owner, id);
      moves++;
    });
  }
  expect(slabs.wasteful).toBe(false);
  expect(moves).toBeLessThanOrEqual(2 * LARGEST);
  expect(turns).toBeGreaterThanOrEqual(moves / 128);
  for (const [owner, id] of table) expect(marked(slabs, id)).toBe(owner);
  const kept = new Set([...table.values()].map((id) => slabs.bytes(id)));
  const bytes = [...kept].reduce((sum, slab) => sum + slab.length, 0);
  expect(bytes / PAGE).toBeLessThanOrEqual(2 * slabs.live + 2 * LARGEST);
});
