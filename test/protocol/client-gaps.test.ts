import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gaps } from "../../src/protocol/client-gaps.ts";

describe("Gaps", () => {
  it("is without gaps when every byte has come once, in any order", () => {
    const gaps = new Gaps(10);
    expect([gaps.fill(4, 2), gaps.fill(0, 4), gaps.fill(8, 2), gaps.fill(6, 2)]).toEqual([true, true, true, true]);
    expect(gaps.missing).toBe(0);
  });

  it("refuses bytes that were there before", () => {
    const gaps = new Gaps(10);
    gaps.fill(4, 2);
    expect([gaps.fill(4, 1), gaps.fill(3, 2), gaps.fill(5, 5), gaps.fill(0, 10)]).toEqual([false, false, false, false]);
    expect(gaps.missing).toBe(8);
  });

  it("refuses bytes outside the range", () => {
    const gaps = new Gaps(10);
    expect([gaps.fill(10, 1), gaps.fill(9, 2), gaps.fill(-1, 2)]).toEqual([false, false, false]);
  });

  it("has none in a range of no bytes", () => {
    expect(new Gaps(0).missing).toBe(0);
    expect(new Gaps(0).fill(0, 1)).toBe(false);
  });

  it("does not let a hostile order of bytes fill the memory", () => {
    const gaps = new Gaps(1 << 20);
    let at = 0;
    while (gaps.fill(at, 1)) at += 2;
    expect(at).toBeLessThan(40_000);
  });

  it("agrees with a list of bytes", () => {
    const fills = fc.array(fc.tuple(fc.integer({ min: -2, max: 40 }), fc.integer({ min: 1, max: 12 })), { maxLength: 30 });
    fc.assert(
      fc.property(fills, (list) => {
        const gaps = new Gaps(32);
        const there = new Set<number>();
        for (const [start, length] of list) {
          const bytes = Array.from({ length }, (_, index) => start + index);
          const fits = bytes.every((byte) => byte >= 0 && byte < 32 && !there.has(byte));
          expect(gaps.fill(start, length)).toBe(fits);
          if (fits) for (const byte of bytes) there.add(byte);
          expect(gaps.missing).toBe(32 - there.size);
        }
      }),
    );
  });
});
