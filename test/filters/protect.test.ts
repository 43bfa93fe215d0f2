// The protect filter.

import { describe, expect, it, test } from "vitest";
import { memory, openDisk, pipe, protect } from "../../src/index.ts";
import { type Call, classRam, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { served } from "../fixtures/served.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

const refused = { code: "EPERM", message: "cannot write: it would change protected bytes" };

describe("protect", () => {
  describe("nothing", () => {
    testFilter({ test, routes: ["directly"], filter: () => protect(), transparent: true });
  });

  describe("what lies past the end of the disk", () => {
    testFilter({ test, routes: ["directly"], filter: () => protect({ offset: "1G" }), transparent: true });
  });

  describe.each([
    ["a plain disk", ram],
    ["a class's disk", classRam],
  ])("bytes 100 to 199 of %s", (_, below) => {
    const content = new Uint8Array(1000).fill(0x78);

    it("may be written with what is there", async () => {
      const source = below(content);
      await using disk = await openDisk(pipe(source, protect({ offset: 100, length: 100 })));
      const bytes = Buffer.alloc(300, "y");
      bytes.fill("x", 100, 200);
      await disk.write(bytes, 0n);
      expect(Buffer.from(source.bytes.subarray(0, 300))).toEqual(bytes);
      await disk.write(Buffer.from("xxx"), 150n);
    });

    it("may not be changed, and nothing else by the same write", async () => {
      const source = below(content);
      await using disk = await openDisk(pipe(source, protect({ offset: 100, length: 100 })));
      for (const [at, length, first] of [
        [0, 101, 100n],
        [100, 1, 100n],
        [199, 1, 199n],
        [199, 500, 199n],
        [0, 1000, 100n],
      ] as const) {
        const write = async () => disk.write(Buffer.alloc(length, "y"), BigInt(at));
        await expect(write(), `${length} at ${at}`).rejects.toMatchObject({ ...refused, offset: first });
      }
      expect(source.bytes).toEqual(content);
      await disk.write(Buffer.alloc(100, "y"), 0n);
      await disk.write(Buffer.alloc(800, "y"), 200n);
      expect(source.bytes.filter((byte) => byte === 0x78)).toHaveLength(100);
    });

    it("may not be zeroed, unless they are zero", async () => {
      const source = below(content);
      await using disk = await openDisk(pipe(source, protect({ offset: 100, length: 100 })));
      await expect((async () => disk.zero(0n, 101n))()).rejects.toMatchObject({ code: "EPERM", offset: 100n });
      await disk.zero(0n, 100n);
      source.bytes.fill(0, 100, 200);
      await disk.zero(50n, 200n);
      expect(source.bytes.subarray(0, 260).every((byte, i) => byte === (i < 250 ? 0 : 0x78))).toBe(true);
    });
  });

  it("leaves protected bytes alone when it trims, and passes flags on", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(1000), recorded("below", calls), protect({ offset: 100, length: 100 }, "300-399")));
    calls.length = 0;
    await disk.trim(50n, 500n, { fua: true });
    await disk.trim(100n, 100n);
    await disk.write(new Uint8Array(5), 500n, { fua: true });
    expect(calls.map(String)).toEqual([
      "below: trim 50 at 50, fua",
      "below: trim 100 at 200, fua",
      "below: trim 150 at 400, fua",
      "below: write 5 at 500, fua",
    ]);
  });

  it("refuses zeroing that is to be fast where it has to look", async () => {
    await using disk = await openDisk(pipe(ram(1000), protect("0-9")));
    const fast = { fua: false, noHole: false, fastZero: true };
    expect(() => disk.zero(0n, 20n, fast)).toThrow(expect.objectContaining({ code: "ENOTSUP" }));
    await disk.zero(10n, 20n, fast);
  });

  it("keeps what is lent for reading, lends no room, and answers at once", async () => {
    await using disk = await openDisk(pipe(memory("1M"), protect("0-9")));
    expect(disk.views).toBeTypeOf("function");
    expect(disk.room).toBeUndefined();
    expect(disk.write(new Uint8Array(20), 0n)).toBeUndefined();
  });

  it.each([
    ["100-199", [[100, 199]]],
    [
      "~100-199",
      [
        [0, 99],
        [200, 999],
      ],
    ],
    ["-199", [[0, 199]]],
    ["900-", [[900, 999]]],
    ["-", [[0, 999]]],
    ["~-", []],
    ["0x64-0xC7", [[100, 199]]],
    ["0144-0307", [[100, 199]]],
    ["0-0", [[0, 0]]],
    ["990-2000000", [[990, 999]]],
  ])("%s of 1000 bytes protects %j", async (range, expected) => {
    await using disk = await openDisk(pipe(ram(1000), protect(range)));
    const is: number[] = [];
    for (let at = 0; at < 1000; at += 1) {
      try {
        await disk.write(Buffer.from("y"), BigInt(at));
      } catch {
        is.push(at);
      }
    }
    const wanted = expected.flatMap(([first = 0, last = 0]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    expect(is).toEqual(wanted);
  });

  it("takes several ranges, in any order and over each other", async () => {
    await using disk = await openDisk(pipe(ram(1000), protect("500-599", { offset: 100, length: 100 }, "150-520", "7-3000000000")));
    await disk.write(Buffer.alloc(7, "y"), 0n);
    expect(() => disk.write(Buffer.from("y"), 7n)).toThrow(expect.objectContaining(refused));
  });

  it("leaves a read-only disk as it is", async () => {
    await using disk = await openDisk(pipe(ram(1000, { readonly: true }), protect("-")));
    expect(disk.capabilities.write).toBe(false);
  });

  it.each(["5", "10-5", "~", "1M-2M", "x-", "0xg-1", "--"])("refuses the range %j", (range) => {
    expect(() => protect(range)).toThrow("expected START-END or ~START-END");
  });

  it("refuses what is no size", () => {
    expect(() => protect({ offset: -1 })).toThrow("offset -1: it is negative");
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "nbdsh"], "protect and nbdkit's", () => {
  it("show the same bytes, and refuse the same ranges", async () => {
    await expectSame(["--filter=protect", "memory", "1M", "protect=0-99"]);
    for (const range of ["5", "10-5", "1M-2M"]) await expectBothRefuse(["--filter=protect", "memory", "1M", `protect=${range}`]);
  });

  it("tell a client EPERM", async () => {
    const { uri } = await served("unix", pipe(memory("1M"), protect("4096-8191")));
    const script = `
      h.connect_uri(uri)
      result = [failure(h.pwrite, b"x", 4096), failure(h.pwrite, b"x", 4095), failure(h.pwrite, bytes(100), 4090), failure(h.zero, 10000, 0)]
    `;
    expect(await nbdsh(uri, script)).toEqual(["EPERM", null, null, null]);
  });
});
