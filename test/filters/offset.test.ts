// The offset filter.

import { describe, expect, it, test } from "vitest";
import { DiskError, filter, memory, offset, openDisk, pipe } from "../../src/index.ts";
import { type Call, fail, faulty, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

describe("offset", () => {
  describe("a part in the middle", () => {
    testFilter({ test, filter: () => offset({ offset: "1k", range: "100k" }), model: (below) => below.subarray(1024, 1024 + 102_400) });
  });

  describe("a part at odd places", () => {
    testFilter({
      test,
      routes: ["directly"],
      filter: () => offset({ offset: 777, range: 70_001 }),
      model: (below) => below.subarray(777, 777 + 70_001),
    });
  });

  describe("the start of a disk", () => {
    testFilter({ test, routes: ["directly"], filter: () => offset({ range: "100k" }), model: (below) => below.subarray(0, 102_400) });
  });

  describe("all of a disk", () => {
    testFilter({ test, filter: () => offset(), transparent: true });
  });

  it("goes to the end of the disk when no range is given", async () => {
    await using disk = await openDisk(pipe(memory("1M"), offset({ offset: "1023k" })));
    expect(disk.size).toBe(1024n);
  });

  it("can show nothing at all", async () => {
    await using disk = await openDisk(pipe(memory("1M"), offset({ offset: "1M" })));
    expect(disk.size).toBe(0n);
  });

  it("keeps what the disk can do, and what it lends", async () => {
    await using whole = await openDisk(ram(8192));
    await using part = await openDisk(pipe(ram(8192), offset({ offset: 512 })));
    expect(part.capabilities).toEqual(whole.capabilities);
    const below = ram(Buffer.from("0123456789"));
    await using lent = await openDisk(pipe(below, offset({ offset: 3 })));
    expect(Buffer.concat(lent.views?.(1n, 2) ?? []).toString()).toBe("45");
  });

  it("answers at once when the disk does", async () => {
    await using disk = await openDisk(pipe(ram(8192), offset({ offset: 512 })));
    expect(disk.read(new Uint8Array(10), 0n)).toBeUndefined();
    expect(disk.write(new Uint8Array(10), 0n)).toBeUndefined();
    expect(disk.extents(0n, 10n)).toBeInstanceOf(Array);
  });

  it("lends room where the disk does", async () => {
    const bytes = new Uint8Array(8192);
    const roomy = filter("roomy", (disk) => ({
      write: (source, at, flags) => disk.write(source, at, flags),
      room: (at, length) => bytes.subarray(Number(at), Number(at) + length),
    }));
    await using disk = await openDisk(pipe(ram(8192), roomy, offset({ offset: 1000 })));
    disk.room?.(24n, 8)?.fill(7);
    expect(bytes.indexOf(7)).toBe(1024);
  });

  it("passes flags on", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(8192), recorded("below", calls), offset({ offset: 512 })));
    await disk.write(new Uint8Array(1), 0n, { fua: true });
    await disk.zero(0n, 1n, { fua: false, noHole: true, fastZero: true });
    await disk.trim(0n, 1n, { fua: true });
    await disk.cache(0n, 1n);
    expect(calls.map(String).slice(-4)).toEqual([
      "below: write 1 at 512, fua",
      "below: zero 1 at 512, noHole, fastZero",
      "below: trim 1 at 512, fua",
      "below: cache 1 at 512",
    ]);
  });

  it("moves what other contexts say, too", async () => {
    const marked = filter("marked", () => ({
      contexts: [{ name: "x:mark", extents: () => [{ offset: 1000n, length: 24n, status: 1n }] }],
    }));
    await using disk = await openDisk(pipe(ram(8192), marked, offset({ offset: 512 })));
    expect(await disk.contexts[0]?.extents(0n, 1000n)).toEqual([
      { offset: 0n, length: 488n, status: 0n },
      { offset: 488n, length: 24n, status: 1n },
    ]);
  });

  it("names the byte of an error as the part counts", async () => {
    const broken = filter("broken", () => ({
      read() {
        throw new DiskError("EIO", "a bad sector", { offset: 1024n });
      },
      write: () => Promise.reject(new DiskError("EIO", "a bad sector", { offset: 1030n })),
    }));
    await using disk = await openDisk(pipe(ram(8192), broken, offset({ offset: 1000 })));
    await expect((async () => disk.read(new Uint8Array(100), 0n))()).rejects.toMatchObject({ offset: 24n, message: "a bad sector" });
    await expect(disk.write(new Uint8Array(100), 0n)).rejects.toMatchObject({ offset: 30n, code: "EIO" });
  });

  it("hands on other errors as they are", async () => {
    await using disk = await openDisk(pipe(ram(8192), faulty(fail("extents", { code: "ENOMEM" })), offset({ offset: 1000 })));
    await expect((async () => disk.extents(0n, 100n))()).rejects.toMatchObject({ code: "ENOMEM" });
  });

  it("refuses a part that is not on the disk", async () => {
    await expect(openDisk(pipe(memory("1M"), offset({ offset: "1025k" })))).rejects.toThrow(
      "offset 1049600 is past the end of the disk (1048576 bytes)",
    );
    await expect(openDisk(pipe(memory("1M"), offset({ offset: "1k", range: "1M" })))).rejects.toThrow(
      "offset 1024 and range 1048576 reach past the end of the disk (1048576 bytes)",
    );
    const most = 2n ** 63n - 1n;
    await expect(openDisk(pipe(memory(most), offset({ offset: most, range: most })))).rejects.toThrow("reach past the end");
  });

  it("refuses what is no size", () => {
    expect(() => offset({ offset: -1 })).toThrow("offset -1: it is negative");
    expect(() => offset({ range: "many" })).toThrow('range "many": expected bytes');
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "offset and nbdkit's", () => {
  it.each([["offset=100k range=50k"], ["offset=100001 range=777"], ["range=1k"], ["offset=1048000"], [""]])(
    "show the same bytes: %s",
    async (keys) => {
      await expectSame(["--filter=offset", "memory", "1M", ...keys.split(" ").filter((key) => key !== "")]);
    },
  );

  it("refuse what is not on the disk", async () => {
    await expectBothRefuse(["--filter=offset", "memory", "1M", "offset=2M"]);
    await expectBothRefuse(["--filter=offset", "memory", "1M", "offset=1k", "range=1M"]);
  });
});
