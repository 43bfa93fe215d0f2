import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_EXTENTS } from "../../src/contract/extents.ts";
import { complete, type Extent, extentFlags, type StatusExtent } from "../../src/contract/index.ts";
import { over, thrownBy } from "./fixtures.ts";

const size = 100n;
const data = (offset: bigint, length: bigint) => ({ offset, length, hole: false, zero: false });
const hole = (offset: bigint, length: bigint) => ({ offset, length, hole: true, zero: true });

/** What a disk lists whose author lists `list`. */
const listed = (list: unknown, offset = 0n, length = size, reqOne = false) =>
  complete(over(new Uint8Array(Number(size)), { extents: () => list as Extent[] })).extents(offset, length, extentFlags(reqOne));

describe("what an author lists becomes what a user may rely on", () => {
  test("an empty list says that all is data", () => {
    expect(listed([])).toEqual([data(0n, 100n)]);
    expect(listed([], 10n, 5n)).toEqual([data(10n, 5n)]);
  });

  test("gaps, and what lies before the first extent, are data", () => {
    expect(listed([hole(10n, 10n), hole(30n, 70n)])).toEqual([data(0n, 10n), hole(10n, 10n), data(20n, 10n), hole(30n, 70n)]);
  });

  test("the list may end early: the user asks again from there", () => {
    expect(listed([hole(0n, 40n)])).toEqual([hole(0n, 40n)]);
  });

  test("what lies outside of the range is cropped", () => {
    expect(listed([hole(0n, 100n)], 20n, 30n)).toEqual([hole(20n, 30n)]);
    expect(listed([hole(0n, 10n), hole(90n, 10n)], 20n, 30n)).toEqual([data(20n, 30n)]);
    expect(listed([hole(0n, 25n), data(25n, 50n)], 20n, 30n)).toEqual([hole(20n, 5n), data(25n, 25n)]);
  });

  test("equal neighbours are one", () => {
    expect(listed([hole(0n, 10n), hole(10n, 10n), data(20n, 10n), { offset: 30n, length: 70n }])).toEqual([hole(0n, 20n), data(20n, 80n)]);
  });

  test("hole and zero are told apart, and are false unless said", () => {
    expect(
      listed([
        { offset: 0n, length: 50n, hole: true },
        { offset: 50n, length: 50n, zero: true },
      ]),
    ).toEqual([
      { offset: 0n, length: 50n, hole: true, zero: false },
      { offset: 50n, length: 50n, hole: false, zero: true },
    ]);
  });

  test("reqOne asks for the first alone, in full length", () => {
    expect(listed([hole(0n, 10n), hole(10n, 10n), data(20n, 80n)], 0n, 100n, true)).toEqual([hole(0n, 20n)]);
    expect(listed([hole(50n, 10n)], 0n, 100n, true)).toEqual([data(0n, 50n)]);
  });

  test("no more than 2^20 are listed", () => {
    function* stripes(): Generator<Extent> {
      for (let at = 0n; ; at += 2n) yield hole(at, 1n);
    }
    const disk = complete({ ...over(new Uint8Array()), size: 2n ** 40n, extents: stripes });
    const list = disk.extents(0n, 2n ** 40n) as readonly Extent[];
    expect(list).toHaveLength(MAX_EXTENTS);
    expect(list.at(-1)).toEqual(data(2n ** 20n - 1n, 1n));
  });

  test("a list may be any iterable, a promise of one or an asynchronous one", async () => {
    const extents = [hole(0n, 10n), data(10n, 90n)];
    async function* later(): AsyncGenerator<Extent> {
      yield* extents;
    }
    expect(listed(new Set(extents))).toEqual(extents);
    expect(await listed(Promise.resolve(extents))).toEqual(extents);
    expect(await listed(later())).toEqual(extents);
    expect(await listed(Promise.resolve(later()))).toEqual(extents);
  });

  test("what is not wanted any more is not asked for, and the source hears of it", async () => {
    let ended = 0;
    function* endless(): Generator<Extent> {
      try {
        for (let at = 0n; ; at += 10n) yield at % 20n === 0n ? hole(at, 10n) : data(at, 10n);
      } finally {
        ended += 1;
      }
    }
    async function* endlessLater(): AsyncGenerator<Extent> {
      yield* endless();
    }
    expect(listed(endless())).toHaveLength(10);
    expect(await listed(endlessLater())).toHaveLength(10);
    expect(ended).toBe(2);
  });
});

describe("what cannot be is an error that says so", () => {
  test.each([
    ["an extent of no bytes", [hole(0n, 0n)], "0 bytes at 0"],
    ["an extent of negative length", [hole(10n, -5n)], "-5 bytes at 10"],
    ["an extent before the disk", [hole(-1n, 5n)], "5 bytes at -1"],
    ["numbers", [{ offset: 0, length: 5 }], "impossible extent"],
    ["overlapping extents", [hole(0n, 10n), hole(9n, 10n)], "out of order: 9 comes after 10"],
    ["descending extents", [hole(50n, 10n), hole(0n, 10n)], "out of order"],
    ["no list", null, "expected an iterable"],
    ["text", "all of it", "expected an iterable"],
  ])("%s", async (_, list, text) => {
    for (const answer of [() => list, async () => list]) {
      expect(await thrownBy(async () => listed(answer()))).toMatchObject({ code: "EIO", message: expect.stringContaining(text) });
    }
  });

  test("undefined, as from a forgotten return", async () => {
    await expect(async () => listed(undefined)).rejects.toThrow("expected an iterable");
  });
});

test("any list of extents becomes one that starts at the offset, ascends without a gap, and agrees with the author's on every byte", async () => {
  const gaps = fc.array(
    fc.record({ gap: fc.integer({ min: 0, max: 9 }), length: fc.integer({ min: 1, max: 9 }), hole: fc.boolean(), zero: fc.boolean() }),
    {
      maxLength: 20,
    },
  );
  const window = fc
    .tuple(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 1, max: 100 }))
    .filter(([offset, length]) => offset + length <= 100);
  await fc.assert(
    fc.asyncProperty(gaps, window, fc.boolean(), fc.boolean(), async (parts, [offset, length], reqOne, later) => {
      const status = Array.from({ length: 100 }, () => "");
      const extents: Extent[] = [];
      let at = 0;
      for (const { gap, length: bytes, hole: isHole, zero } of parts) {
        at += gap;
        extents.push({ offset: BigInt(at), length: BigInt(bytes), hole: isHole, zero });
        for (let i = at; i < at + bytes; i += 1) status[i] = `${isHole}${zero}`;
        at += bytes;
      }
      const list = await listed(later ? Promise.resolve(extents) : extents, BigInt(offset), BigInt(length), reqOne);
      expect(list.length).toBeGreaterThan(0);
      if (reqOne) expect(list).toHaveLength(1);
      let next = BigInt(offset);
      for (const extent of list) {
        expect(extent.offset).toBe(next);
        for (let i = Number(extent.offset); i < Number(extent.offset + extent.length); i += 1) {
          expect(`${extent.hole}${extent.zero}`).toBe(status[i] || "falsefalse");
        }
        next += extent.length;
      }
      expect(next).toBeLessThanOrEqual(BigInt(offset + length));
    }),
  );
});

describe("a context of a disk's own", () => {
  const context = (list: unknown) => {
    const disk = complete(over(new Uint8Array(100), { contexts: [{ name: "x-backup:changed", extents: () => list as StatusExtent[] }] }));
    const first = disk.contexts[0];
    if (first === undefined) throw new Error("the disk has no context");
    return first;
  };

  test("is completed as extents are, with status 0 for gaps", () => {
    expect(
      context([
        { offset: 10n, length: 10n, status: 7n },
        { offset: 20n, length: 5n, status: 7n },
      ]).extents(0n, 25n),
    ).toEqual([
      { offset: 0n, length: 10n, status: 0n },
      { offset: 10n, length: 15n, status: 7n },
    ]);
    expect(context([]).extents(40n, 2n)).toEqual([{ offset: 40n, length: 2n, status: 0n }]);
    expect(context([{ offset: 0n, length: 10n, status: 2n ** 64n - 1n }]).extents(0n, 100n, extentFlags(true))).toEqual([
      { offset: 0n, length: 10n, status: 2n ** 64n - 1n },
    ]);
  });

  test("has its range checked", async () => {
    expect(await thrownBy(() => context([]).extents(99n, 2n))).toMatchObject({ code: "EINVAL" });
    expect(context([]).extents(100n, 0n)).toEqual([]);
  });

  test.each([5, -1n, 2n ** 64n, "changed"])("cannot have the status %s", async (status) => {
    const error = await thrownBy(() => context([{ offset: 0n, length: 10n, status }]).extents(0n, 10n));
    expect(error).toMatchObject({ code: "EIO", message: expect.stringContaining("impossible status") });
  });
});
