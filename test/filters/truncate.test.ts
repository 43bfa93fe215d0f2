// The truncate filter.

import { describe, expect, it, test } from "vitest";
import { filter, memory, openDisk, pipe, truncate } from "../../src/index.ts";
import { type Call, classRam, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { served } from "../fixtures/served.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

describe("truncate", () => {
  describe("to a smaller size", () => {
    testFilter({ test, routes: ["directly"], filter: () => truncate({ size: 100_001 }), model: (below) => below.subarray(0, 100_001) });
  });

  describe("to the size that the disk has", () => {
    testFilter({ test, routes: ["directly"], filter: () => truncate(), transparent: true });
  });

  it.each([
    [{ size: 5000 }, 5000n],
    [{ roundUp: 512 }, 1024n],
    [{ roundUp: 1000 }, 1000n],
    [{ roundDown: 512 }, 512n],
    [{ roundDown: 1024 }, 0n],
    [{ size: 1500, roundUp: 1024, roundDown: 700 }, 1400n],
  ])("%j of a disk of 1000 bytes has %i", async (options, size) => {
    await using disk = await openDisk(pipe(ram(1000), truncate(options)));
    expect(disk.size).toBe(size);
  });

  describe.each([
    ["a plain disk", ram],
    ["a class's disk", classRam],
  ])("that makes %s longer", (_, below) => {
    const content = new Uint8Array(1000).fill(0x78);

    it("reads zeroes there", async () => {
      await using disk = await openDisk(pipe(below(content), truncate({ size: 5000 })));
      for (const [start, length] of [
        [0, 5000],
        [999, 2],
        [1000, 1],
        [4000, 1000],
        [10, 10],
      ] as const) {
        const target = Buffer.alloc(length, "?");
        await disk.read(target, BigInt(start));
        expect(target).toEqual(Buffer.concat([content, Buffer.alloc(4000)]).subarray(start, start + length));
      }
    });

    it("takes only zeroes there, and nothing of a write that has anything else", async () => {
      const source = below(content);
      await using disk = await openDisk(pipe(source, truncate({ size: 5000 })));
      await disk.write(Buffer.from("ab\0\0\0"), 998n);
      await disk.write(Buffer.alloc(100), 3000n);
      expect(Buffer.from(source.bytes.subarray(996)).toString()).toBe("xxab");
      const late = Buffer.from("cd\0\0!");
      await expect((async () => disk.write(late, 998n))()).rejects.toMatchObject({
        code: "ENOSPC",
        offset: 1002n,
        message: "cannot write past byte 1000, where the disk below ends: only zeroes may be written there",
      });
      await expect((async () => disk.write(Buffer.from("!"), 4999n))()).rejects.toMatchObject({ code: "ENOSPC", offset: 4999n });
      expect(Buffer.from(source.bytes.subarray(996)).toString()).toBe("xxab");
    });

    it("zeroes what is on the disk", async () => {
      const source = below(content);
      await using disk = await openDisk(pipe(source, truncate({ size: 5000 })));
      await disk.zero(998n, 10n);
      await disk.zero(4000n, 1000n);
      expect(Buffer.from(source.bytes.subarray(996)).toString()).toBe("xx\0\0");
    });

    it("says that it is a hole", async () => {
      await using disk = await openDisk(pipe(below(content), truncate({ size: 5000 })));
      const data = { hole: false, zero: false };
      const hole = { hole: true, zero: true };
      expect(await disk.extents(0n, 5000n)).toEqual([
        { offset: 0n, length: 1000n, ...data },
        { offset: 1000n, length: 4000n, ...hole },
      ]);
      expect(await disk.extents(1000n, 100n)).toEqual([{ offset: 1000n, length: 100n, ...hole }]);
      expect(await disk.extents(990n, 20n, { reqOne: true })).toEqual([{ offset: 990n, length: 10n, ...data }]);
    });
  });

  it("passes on what is on the disk, with its flags, and only that", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(1000), recorded("below", calls), truncate({ size: 5000 })));
    await disk.write(new Uint8Array(100), 950n, { fua: true });
    await disk.trim(990n, 100n, { fua: true });
    await disk.trim(1000n, 100n);
    await disk.zero(990n, 100n, { fua: false, noHole: true, fastZero: true });
    await disk.cache(500n, 1000n);
    await disk.cache(2000n, 1000n);
    expect(calls.map(String).slice(-4)).toEqual([
      "below: write 50 at 950, fua",
      "below: trim 10 at 990, fua",
      "below: zero 10 at 990, noHole, fastZero",
      "below: cache 500 at 500",
    ]);
  });

  it("lends what is on the disk, answers at once, and can do what the disk can", async () => {
    await using whole = await openDisk(ram(1000));
    await using disk = await openDisk(pipe(ram(Buffer.alloc(1000, "x")), truncate({ size: 5000 })));
    expect(Buffer.concat(disk.views?.(990n, 10) ?? []).toString()).toBe("xxxxxxxxxx");
    expect(disk.views?.(990n, 11)).toBeUndefined();
    expect(disk.read(new Uint8Array(20), 990n)).toBeUndefined();
    expect(disk.capabilities).toEqual(whole.capabilities);
  });

  it("crops other contexts", async () => {
    const marked = filter("marked", (below) => ({
      contexts: [{ name: "x:mark", extents: (_, length) => [{ offset: below.size - 8n, length, status: 1n }] }],
    }));
    await using disk = await openDisk(pipe(ram(1000), marked, truncate({ size: 5000 })));
    expect(await disk.contexts[0]?.extents(0n, 5000n)).toMatchObject([{ length: 992n }, { offset: 992n, length: 8n, status: 1n }]);
    expect(await disk.contexts[0]?.extents(2000n, 5n)).toEqual([{ offset: 2000n, length: 5n, status: 0n }]);
  });

  it("makes the largest disk of any, and none that is larger", async () => {
    await using disk = await openDisk(pipe(ram(1000), truncate({ size: 2n ** 63n - 1n })));
    const target = Buffer.alloc(10, "?");
    await disk.read(target, disk.size - 10n);
    expect(target).toEqual(Buffer.alloc(10));
    await expect(openDisk(pipe(memory(2n ** 63n - 1n), truncate({ roundUp: 512 })))).rejects.toThrow(
      "roundUp 512 makes a disk of 9223372036854775808 bytes",
    );
  });

  it("refuses what is no size", () => {
    expect(() => truncate({ size: "x" })).toThrow('size "x"');
    expect(() => truncate({ roundUp: 0 })).toThrow("roundUp 0: expected a number of bytes from 1 on");
    expect(() => truncate({ roundDown: 0n })).toThrow("roundDown 0");
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "truncate and nbdkit's", () => {
  it.each([["truncate=2M"], ["truncate=1000"], ["round-up=4096"], ["round-down=65536"], ["truncate=1500000 round-down=512k"], [""]])(
    "show the same bytes and holes: %s",
    async (keys) => {
      await expectSame(["--filter=truncate", "memory", "1000001", ...keys.split(" ").filter((key) => key !== "")]);
      await expectSame(["--filter=truncate", "--filter=noextents", "memory", "1000001", ...keys.split(" ").filter((key) => key !== "")]);
    },
  );

  it("refuse a size of nothing to round to", async () => {
    await expectBothRefuse(["--filter=truncate", "memory", "1M", "round-up=0"]);
    await expectBothRefuse(["--filter=truncate", "memory", "1M", "truncate=x"]);
  });
});

describeWith(["nbdsh"], "a client of a longer disk", () => {
  it("is told ENOSPC when it writes anything but zeroes past the end", async () => {
    const { uri } = await served("unix", pipe(memory("1M"), truncate({ size: "2M" })));
    const script = `
      h.connect_uri(uri)
      end = 1024 * 1024
      result = [failure(h.pwrite, b"x", end + 5), failure(h.pwrite, b"xy", end - 1), failure(h.pwrite, bytes(10), end - 5),
                failure(h.zero, 10, end - 5), failure(h.trim, 10, end + 5), h.pread(2, end - 1).hex()]
    `;
    expect(await nbdsh(uri, script)).toEqual(["ENOSPC", "ENOSPC", null, null, null, "0000"]);
  });
});
