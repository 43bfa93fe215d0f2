// What is read ahead, how much, and what happens when it fails.

import { expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { ReadAhead } from "../src/read-ahead.ts";

const KIB = 1024;
const content = sample(4 * KIB * KIB);

/** What was fetched ahead and directly, in bytes; fetches are held back while `held`. */
function watched(budget: number, options: { fails?: boolean; held?: Promise<void> } = {}) {
  const seen = { ahead: [] as number[], direct: 0, now: 0, most: 0 };
  const readAhead = new ReadAhead({
    size: content.length,
    budget,
    async fetch(target, at, progress) {
      seen.ahead.push(target.length);
      seen.now += target.length;
      seen.most = Math.max(seen.most, seen.now);
      await options.held;
      seen.now -= target.length;
      if (options.fails) throw new Error("no");
      const half = target.length >> 1;
      target.set(content.subarray(at, at + half));
      progress(half);
      await undefined;
      target.set(content.subarray(at + half, at + target.length), half);
    },
    async direct(target, at) {
      seen.direct += 1;
      target.set(content.subarray(at, at + target.length));
    },
  });
  const read = async (at: number, length: number): Promise<void> => {
    const target = Buffer.alloc(length);
    await readAhead.read(target, at);
    expect(target.equals(content.subarray(at, at + length))).toBe(true);
  };
  return { seen, read };
}

test.each([[64 * KIB], [KIB * KIB], [8 * KIB * KIB]])("a budget of %i bytes, from front to back", async (budget) => {
  const { seen, read } = watched(budget);
  for (let at = 0; at < content.length; at += 3000) await read(at, Math.min(3000, content.length - at));
  // The first reads do not know yet that others follow; a little budget is not enough for all.
  if (budget > 64 * KIB) expect(seen.direct).toBeLessThan(20);
  expect(seen.ahead.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(content.length);
});

test("random reads are not read ahead of", async () => {
  const { seen, read } = watched(KIB * KIB);
  for (let index = 0; index < 200; index += 1) await read((index * 1_000_003) % (content.length - 4096), 4096);
  expect(seen.ahead).toEqual([]);
});

test("several fronts at once, and many that are left again, stay within the budget", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { seen, read } = watched(256 * KIB, { held });
  const reads: Promise<void>[] = [];
  for (let front = 0; front < 30; front += 1) for (let step = 0; step < 6; step += 1) reads.push(read(front * 130_000 + step * 4096, 4096));
  release();
  await Promise.all(reads);
  expect(seen.ahead.length).toBeGreaterThan(1);
  expect(seen.most).toBeLessThanOrEqual(256 * KIB);
});

test("several fronts in turn", async () => {
  const { seen, read } = watched(8 * KIB * KIB);
  for (let at = 0; at < 900_000; at += 4096) for (const front of [0, 1_000_000, 2_000_000]) await read(front + at, 4096);
  expect(seen.direct).toBeLessThan(30);
});

test("what fails to come is asked for by those who want it", async () => {
  const { seen, read } = watched(KIB * KIB, { fails: true });
  for (let at = 0; at < 200_000; at += 1000) await read(at, 1000);
  expect(seen.ahead.length).toBeGreaterThan(1);
});

test("reads that come a little out of order", async () => {
  const { read } = watched(KIB * KIB);
  for (let at = 0; at < 1_000_000; at += 8000) await Promise.all([read(at + 4000, 4000), read(at, 4000)]);
});
