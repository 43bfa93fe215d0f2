// The extentlist filter.

import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type Extent, extentList, memory, openDisk, pipe } from "../../src/index.ts";
import { ram, testFilter } from "../../src/testing/index.ts";
import { Random } from "../../src/testing/random.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const list: readonly Extent[] = [
  { offset: 8192n, length: 4096n, hole: true },
  { offset: 0n, length: 4096n },
];

/** The extents of a disk of 1 MiB, as short rows. */
async function rows(extents: string | Iterable<Extent>, start = 0n, length = 1048576n) {
  await using disk = await openDisk(pipe(memory("1M"), extentList(extents)));
  const found = await disk.extents(start, length);
  return found.map(({ offset, length, hole, zero }) => [Number(offset), Number(length), Number(hole) + 2 * Number(zero)]);
}

describe("extentList", () => {
  // All of it is called data, so that what is written does not belie it.
  testFilter({ test, filter: () => extentList([{ offset: 0n, length: 2n ** 40n }]), transparent: true });

  it("puts extents in order and fills the gaps with holes", async () => {
    expect(await rows(list)).toEqual([
      [0, 4096, 0],
      [4096, 4096, 3],
      [8192, 4096, 1],
      [12288, 1036288, 3],
    ]);
    expect(await rows(list, 5000n, 10n)).toEqual([[5000, 10, 3]]);
    expect(await rows([])).toEqual([[0, 1048576, 3]]);
  });

  it("finds the extents of any range in a long list", async () => {
    const draw = new Random(3);
    const long = Array.from({ length: 5000 }, (_, i) => ({
      offset: BigInt(i * 200 + draw.below(50)),
      length: BigInt(1 + draw.below(100)),
    }));
    const all = await rows(long);
    for (let round = 0; round < 50; round += 1) {
      const at = draw.below(1_000_000);
      const expected = all.find(([offset, length]) => (offset as number) <= at && at < (offset as number) + (length as number));
      const [first] = await rows(long, BigInt(at), 1000n);
      expect(first?.[2]).toBe(expected?.[2]);
    }
  });

  it("reads a file", async () => {
    const text = "# a comment\n\n  0\t4k # the start\n8k 4k hole\n1M 1M 2\n16k 1k zero,hole\n20k 0\n";
    expect(await rows(join(tree({ list: text }), "list"))).toEqual([
      [0, 4096, 0],
      [4096, 4096, 3],
      [8192, 4096, 1],
      [12288, 1036288, 3],
    ]);
  });

  it("shows what it says to readers, whatever lies below", async () => {
    await using disk = await openDisk(pipe(ram(Buffer.from("data")), extentList([])));
    const target = Buffer.alloc(4);
    await disk.read(target, 0n);
    expect(target.toString()).toBe("data");
    expect(await disk.extents(0n, 4n)).toMatchObject([{ hole: true, zero: true }]);
  });

  it.each([
    ["0", "line 1 of the extent list"],
    ["0 1k\nx 1k", 'line 2 of the extent list: offset "x"'],
    ["0 -5", 'line 1 of the extent list: length "-5": it is negative'],
    ["0 1k sparse", 'line 1 of the extent list, "0 1k sparse": expected an offset, a length, and hole, zero or hole,zero'],
    ["0 1k 4", "line 1"],
    ["0 1k __proto__", "line 1"],
    ["0 1k\n512 1k", "the extent list has two extents at 512: they must not overlap"],
  ])("refuses a file with %j", async (text, message) => {
    const path = join(tree({ list: text }), "list");
    await expect(openDisk(pipe(memory("1M"), extentList(path)))).rejects.toThrow(message);
  });

  it("refuses a file that is not there, and what is no list", async () => {
    await expect(openDisk(pipe(memory("1M"), extentList("/nowhere/list")))).rejects.toThrow(/ENOENT.*nowhere/);
    expect(() => extentList([{ offset: 0 as never, length: 1n }])).toThrow("has 1 bytes at 0: expected bigints");
    expect(() => extentList([{ offset: 0n, length: 0n }])).toThrow("a length of at least 1n");
    expect(() => extentList(7 as never)).toThrow("expected a path, or extents");
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "extentlist and nbdkit's", () => {
  it.each([["0 1M\n"], ["1M 512K hole,zero\n0 4k\n"], ["0 1M zero\n3M 1M hole\n1M 1M 2\n"], ["0 10M\n"], ["3s 1M\n"], [""]])(
    "show the same map: %j",
    async (text) => {
      await expectSame(["--filter=extentlist", "memory", "5M", `extentlist=${join(tree({ list: text }), "list")}`]);
    },
  );

  it("refuse lists that cannot be", async () => {
    for (const text of ["0 1M\n512K 1M\n", "0\n", "x 1M\n"])
      await expectBothRefuse(["--filter=extentlist", "memory", "5M", `extentlist=${join(tree({ list: text }), "list")}`]);
    await expectBothRefuse(["--filter=extentlist", "memory", "5M"]);
  });
});
