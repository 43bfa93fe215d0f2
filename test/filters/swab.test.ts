// The swab filter.

import { describe, expect, it, test } from "vitest";
import { filter, openDisk, pipe, swab } from "../../src/index.ts";
import { ram, testFilter } from "../../src/testing/index.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

/** The slow way. */
function swapped(below: Uint8Array, bytes: number): Uint8Array {
  const result = new Uint8Array(below.length - (below.length % bytes));
  for (let i = 0; i < result.length; i += 1) result[i] = below[i - (i % bytes) + (bytes - 1 - (i % bytes))] as number;
  return result;
}

describe("swab", () => {
  describe.each([[16], [32], [64]] as const)("words of %i bits", (bits) => {
    testFilter({ test, routes: ["directly"], filter: () => swab({ bits }), model: (below) => swapped(below, bits / 8), timeout: 20_000 });
  });

  describe("words of 8 bits", () => {
    testFilter({ test, routes: ["directly"], filter: () => swab({ bits: 8 }), transparent: true });
  });

  it("swaps pairs of bytes unless told otherwise", async () => {
    await using disk = await openDisk(pipe(ram(Buffer.from("badcfehg")), swab()));
    const target = Buffer.alloc(8);
    await disk.read(target, 0n);
    expect(target.toString()).toBe("abcdefgh");
  });

  it("ends with the last whole word", async () => {
    await using disk = await openDisk(pipe(ram(1007), swab({ bits: 64 })));
    expect(disk.size).toBe(1000n);
    expect(disk.blockSize).toEqual({ minimum: 8, preferred: 4096, maximum: 0xffffffff });
  });

  it("takes whole words only, and says so", async () => {
    await using disk = await openDisk(pipe(ram(1024), swab({ bits: 32 })));
    const requests: (() => unknown)[] = [
      () => disk.read(new Uint8Array(4), 2n),
      () => disk.read(new Uint8Array(2), 0n),
      () => disk.write(new Uint8Array(1), 0n),
      () => disk.zero(0n, 1n),
      () => disk.trim(1n, 4n),
    ];
    for (const request of requests) expect(request).toThrow("swapped words of 32 bits take whole words only");
    expect(() => disk.read(new Uint8Array(4), 2n)).toThrow("cannot read 4 bytes at 2");
  });

  it("says of a word that is a hole in part that it is data", async () => {
    const holes = filter("holes", () => ({
      extents: () => [
        { offset: 3n, length: 100n, hole: true, zero: true },
        { offset: 120n, length: 1n, hole: true, zero: true },
        { offset: 128n, length: 896n, hole: true, zero: true },
      ],
    }));
    await using disk = await openDisk(pipe(ram(1023), holes, swab({ bits: 64 })));
    const list = await disk.extents(0n, disk.size);
    expect(list.map(({ offset, length, hole }) => [Number(offset), Number(length), hole])).toEqual([
      [0, 8, false],
      [8, 88, true],
      [96, 32, false],
      [128, 888, true],
    ]);
    expect(await disk.extents(3n, 5n)).toMatchObject([{ offset: 3n, length: 5n, hole: false }]);
    expect(await disk.extents(97n, 10n)).toMatchObject([{ offset: 97n, hole: false }]);
  });

  it("leaves what is written as it was", async () => {
    await using disk = await openDisk(pipe(ram(8), swab()));
    const source = Buffer.from("abcd");
    await disk.write(source, 0n);
    expect(source.toString()).toBe("abcd");
  });

  it("refuses words of other sizes", () => {
    expect(() => swab({ bits: 24 as never })).toThrow("bits 24: expected 8, 16, 32 or 64");
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "swab and nbdkit's", () => {
  it.each([[8], [16], [32], [64]])("show the same bytes: %i bits", async (bits) => {
    await expectSame(["--filter=swab", "pattern", "1000001", `swab-bits=${bits}`]);
  });

  it("refuse words of other sizes", async () => {
    await expectBothRefuse(["--filter=swab", "memory", "1M", "swab-bits=24"]);
  });
});
