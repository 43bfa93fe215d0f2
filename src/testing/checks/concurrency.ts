// Many requests at once.

import assert from "node:assert/strict";
import type { Area, Range } from "../area.ts";
import type { Bench, Check } from "../check.ts";

/** Requests of one kind that are under way together. */
const AT_ONCE = 16;
const ROUNDS = 4;

export const concurrency: readonly Check[] = [
  {
    name: "reads at once give what they give one after the other",
    async run({ areas }) {
      for (const area of areas) {
        for (let round = 0; round < ROUNDS; round += 1) await Promise.all(some(() => area.read(...area.anywhere(50_000))));
      }
    },
  },
  {
    name: "writes at once to different places all arrive",
    skip: ({ write }) => (write ? undefined : "it cannot be written"),
    async run({ areas }) {
      for (const area of areas) {
        for (let round = 0; round < ROUNDS; round += 1)
          await Promise.all(disjoint(area).map(([start, length]) => area.write(start, length)));
        await area.verify();
      }
    },
  },
  {
    name: "of writes at once to the same place each byte comes from one of them, and a read meanwhile gives such bytes or the old ones",
    skip: ({ write }, { forgets, random }) =>
      !write ? "it cannot be written" : forgets || random ? "what is written is not what is read" : undefined,
    async run(bench) {
      for (const area of bench.areas) for (let round = 0; round < ROUNDS; round += 1) await overlapping(bench, area);
    },
  },
];

/** Writes and reads the same few blocks at once. */
async function overlapping({ disk, draw }: Bench, area: Area): Promise<void> {
  const [first, span] = area.anywhere(4096);
  const blocks = span / area.step;
  const part = (): Range => {
    const start = draw.below(blocks);
    return [first + start * area.step, (1 + draw.below(blocks - start)) * area.step];
  };
  const at = (start: number): bigint => area.offset + BigInt(start);
  // What was there is 0, and the fill of each write is 2 to the power of its number, so that a set of them is a number too.
  await area.zero(first, span);
  const writes = Array.from({ length: 8 }, (_, i) => ({ range: part(), fill: 1 << i }));
  const reads = some(() => part()).map((range) => ({ range, target: new Uint8Array(range[1]) }));
  await Promise.all([
    ...writes.map(async ({ range: [start, length], fill }) => disk.write(new Uint8Array(length).fill(fill), at(start))),
    ...reads.map(async ({ range: [start], target }) => disk.read(target, at(start))),
  ]);

  const possible = new Uint8Array(span);
  for (const { range, fill } of writes) for (let i = 0; i < range[1]; i += 1) (possible[range[0] - first + i] as number) |= fill;
  const check = (what: string, bytes: Uint8Array, start: number, old: boolean): void => {
    const wrong = bytes.findIndex((byte, i) => {
      const fills = possible[start - first + i] as number;
      return byte === 0 ? !old && fills !== 0 : (fills & byte) !== byte || !powerOfTwo(byte);
    });
    assert.equal(
      wrong,
      -1,
      `${what}: byte ${at(start + wrong)} is ${bytes[wrong]}, which is neither what was there nor what anybody wrote there`,
    );
  };
  for (const { range, target } of reads) check("a read while others write", target, range[0], true);
  await area.relearn(first, span);
  check("when all had written", area.expected.subarray(first, first + span), first, false);
  await area.verify();
}

function powerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}

function some<T>(make: (index: number) => T): T[] {
  return Array.from({ length: AT_ONCE }, (_, i) => make(i));
}

/** Ranges that lie beside one another. */
function disjoint(area: Area): Range[] {
  const blocks = Math.floor(area.length / area.step / AT_ONCE);
  if (blocks === 0) return [[0, area.step]];
  return some((i) => [i * blocks * area.step, Math.min(blocks * area.step, Math.ceil(5000 / area.step) * area.step)]);
}
