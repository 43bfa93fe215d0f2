// Block maps agree with a plain table of numbers, on disks of any size.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BlockMap, FIRST_SLOT } from "../../src/common/block-map.ts";

type Step = readonly ["set", number, number] | readonly ["fill", number, number, 0 | 1];

/** Steps on `count` blocks that lie around `middle`, where nodes of the tree meet. */
function steps(count: number, around: number): fc.Arbitrary<Step[]> {
  const block = fc.integer({ min: around, max: around + count - 1 });
  return fc.array(
    fc.oneof(
      fc.tuple(fc.constant("set" as const), block, fc.integer({ min: 0, max: 9 })),
      fc.tuple(fc.constant("fill" as const), block, block, fc.constantFrom(0 as const, 1 as const)),
    ),
    { maxLength: 30 },
  );
}

for (const [count, around] of [
  [40, 0],
  [3000, 0],
  [2 ** 53, 2 ** 20 - 1500],
  [2 ** 53, 2 ** 53 - 3000],
] as const) {
  const shown = Math.min(count, 3000);
  test(`${count} blocks, ${shown} of them from ${around} on, agree with a table`, () => {
    fc.assert(
      fc.property(steps(shown, around), fc.nat(shown - 1), (list, start) => {
        const map = new BlockMap(count);
        const table = new Array<number>(shown).fill(0);
        for (const step of list) {
          if (step[0] === "set") {
            map.set(step[1], step[2]);
            table[step[1] - around] = step[2];
            continue;
          }
          const first = Math.min(step[1], step[2]);
          const end = Math.max(step[1], step[2]) + 1;
          const dropped: [number, number][] = [];
          map.fill(first, end, step[3], (value, block) => dropped.push([value, block]));
          const expected: [number, number][] = [];
          for (let i = first - around; i < end - around; i += 1) {
            if ((table[i] as number) >= FIRST_SLOT) expected.push([table[i] as number, i + around]);
            table[i] = step[3];
          }
          expect(dropped).toEqual(expected);
        }
        expect(table.map((_, i) => map.get(i + around))).toEqual(table);
        const value = table[start] as number;
        let end = start + 1;
        while (end < shown && table[end] === (value < FIRST_SLOT ? value : value + end - start)) end += 1;
        expect(map.runEnd(start + around, shown + around)).toBe(end + around);
        const slots: [number, number][] = [];
        map.slots(start + around, shown + around, (slot, block) => slots.push([slot, block]));
        const all = table.map((slot, i): [number, number] => [slot, i + around]);
        expect(slots).toEqual(all.filter(([slot, block]) => slot >= FIRST_SLOT && block >= start + around));
      }),
      { numRuns: 60 },
    );
  });
}

describe("the largest disk there is", () => {
  const blocks = 2 ** 51;

  test("is filled, and passed over, as quickly as a small one", () => {
    const map = new BlockMap(blocks);
    map.set(blocks - 1, 7);
    const dropped: number[] = [];
    map.fill(1, blocks, 1, (value) => dropped.push(value));
    expect(dropped).toEqual([7]);
    expect(map.get(0)).toBe(0);
    expect(map.runEnd(0, blocks)).toBe(1);
    expect(map.runEnd(1, blocks)).toBe(blocks);
    map.fill(0, blocks, 0, () => expect.unreachable());
    expect(map.runEnd(0, blocks)).toBe(blocks);
  });
});
