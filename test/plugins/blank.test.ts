// The plugins null, zero, ones and full: disks on which every byte is the same.

import { describe, expect, it, test } from "vitest";
import { full, nullDisk, ones, openDisk, pipe, readonly, zeroDisk } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

const able = { write: true, flush: true, trim: true, fua: "native", multiConn: true } as const;

describe("nullDisk", () => {
  testPlugin({ test, factory: () => nullDisk("1M"), forgets: true, expect: { ...able, zero: true, fastZero: true, extents: true } });

  it("may be as large as can be, and is a hole", async () => {
    const size = 2n ** 63n - 1n;
    await using disk = await openDisk(nullDisk(size));
    expect(await disk.extents(0n, size)).toEqual([{ offset: 0n, length: size, hole: true, zero: true }]);
    const target = Buffer.alloc(10, "x");
    await disk.read(target, size - 10n);
    expect(target).toEqual(Buffer.alloc(10));
  });

  it("has no bytes unless told otherwise", async () => {
    await using disk = await openDisk(nullDisk());
    expect(disk.size).toBe(0n);
  });

  it("lends any number of zeroes", async () => {
    await using disk = await openDisk(nullDisk("64M"));
    for (const length of [1, 1024 * 1024, 1024 * 1024 + 1, 10_000_000]) {
      const views = disk.views?.(5n, length) ?? [];
      expect(views.reduce((sum, view) => sum + view.length, 0)).toBe(length);
      expect(views.every((view) => view.every((byte) => byte === 0))).toBe(true);
    }
  });

  it("refuses what is no size", () => {
    expect(() => nullDisk("x")).toThrow('size "x"');
  });
});

describe("zeroDisk", () => {
  testPlugin({ test, factory: () => zeroDisk(), expect: { write: false } });

  it("has no bytes", async () => {
    await using disk = await openDisk(zeroDisk());
    expect(disk.size).toBe(0n);
  });
});

describe("ones", () => {
  testPlugin({ test, factory: () => ones("1M"), content: new Uint8Array(100_000).fill(255), forgets: true, expect: able });

  it("has another byte where told so", async () => {
    await using disk = await openDisk(ones(100, { byte: 0x55 }));
    const target = Buffer.alloc(100);
    await disk.read(target, 0n);
    expect(target).toEqual(Buffer.alloc(100, 0x55));
    expect(Buffer.concat(disk.views?.(0n, 3) ?? [])).toEqual(Buffer.alloc(3, 0x55));
    expect(await disk.extents(0n, 100n)).toMatchObject([{ hole: false, zero: false }]);
  });

  it("is a hole when the byte is 0", async () => {
    await using disk = await openDisk(ones(100, { byte: 0 }));
    expect(await disk.extents(0n, 100n)).toMatchObject([{ hole: true, zero: true }]);
  });

  it("refuses what is no byte", () => {
    expect(() => ones(1, { byte: 256 })).toThrow("byte 256: expected 0 to 255");
    expect(() => ones(1, { byte: 1.5 })).toThrow("byte 1.5");
  });
});

describe("full", () => {
  // It can be written as far as it says, and no write succeeds: only reading is for the suite.
  testPlugin({ test, factory: () => pipe(full("1M"), readonly()), content: new Uint8Array(1024 * 1024), expect: { extents: true } });

  it("has no space for anything", async () => {
    await using disk = await openDisk(full("1M"));
    const refused = expect.objectContaining({ code: "ENOSPC", message: "the disk is full" });
    expect(disk.capabilities).toMatchObject({ write: true, trim: true, zero: true, fastZero: true, flush: false, fua: "none" });
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow(refused);
    expect(() => disk.zero(0n, 1n)).toThrow(refused);
    expect(() => disk.trim(0n, 1n)).toThrow(refused);
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "null, zero and full and nbdkit's", () => {
  it.each([["null 1M"], ["null"], ["zero"], ["full 1M"]])("show the same bytes: %s", async (line) => {
    await expectSame(line.split(" "));
  });

  it("refuse a full disk without a size, and sizes that are none", async () => {
    await expectBothRefuse(["full"]);
    await expectBothRefuse(["null", "size=-1"]);
    await expectBothRefuse(["zero", "size=1"]);
  });
});
