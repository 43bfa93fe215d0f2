// The protect filter: parts of a disk that cannot be changed, and those around them that can.

import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { between, joined, spansOf, within } from "../../src/filters/protect/ranges.ts";
import type { Disk, Plugin } from "../../src/index.ts";
import { memory, openDisk, pipe, protect } from "../../src/index.ts";
import { type Call, classRam, fail, faulty, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { command, expectBothRefuse, expectSame, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

const content: Uint8Array = Uint8Array.from({ length: 8192 }, (_, i) => (i < 4096 ? (i % 251) + 1 : 0));

async function opened(plugin: Plugin): Promise<Disk> {
  const disk = await openDisk(plugin);
  onTestFinished(() => disk.close().catch(() => undefined));
  return disk;
}

describe("contract, where nothing is protected", () => {
  testFilter({ test, filter: () => protect("1000000-"), transparent: true });
});

for (const [over, make] of Object.entries({ "a disk that can do everything": ram, "a class's disk that answers later": classRam })) {
  describe(`over ${over}`, () => {
    test("what would change a protected byte fails, and changes nothing", async () => {
      const below = make(content);
      const disk = await opened(pipe(below, protect("1000-1999", { start: 3000, end: 3000 })));
      const all = content.slice();
      all[1999] = 0;
      await expect(async () => disk.write(all.fill(9, 0, 1000), 0n)).rejects.toMatchObject({
        code: "EPERM",
        offset: 1999n,
        message: "the byte at 1999 is protected: it cannot be changed",
      });
      await expect(async () => disk.zero(2500n, 1000n)).rejects.toMatchObject({ code: "EPERM", offset: 3000n });
      expect(Buffer.compare(below.bytes, content)).toBe(0);
    });

    test("what changes only bytes around them succeeds", async () => {
      const below = make(content);
      const disk = await opened(pipe(below, protect("1000-1999", "5000-5999")));
      const all = content.slice();
      all.fill(9, 0, 1000);
      all.fill(9, 2000, 3000);
      await disk.write(all, 0n, { fua: true });
      await disk.zero(2500n, 5000n);
      all.fill(0, 2500, 7500);
      await disk.flush();
      expect(Buffer.compare(below.stable, all)).toBe(0);
    });
  });
}

test("protected bytes are never written, not even with what they are", async () => {
  const calls: Call[] = [];
  const disk = await opened(pipe(ram(content), recorded("below", calls), protect("5000-5999")));
  calls.length = 0;
  await disk.write(new Uint8Array(2000), 4500n);
  await disk.trim(4096n, 4096n);
  expect(calls.filter(({ operation }) => operation !== "read" && operation !== "extents").map(String)).toEqual([
    "below: write 500 at 4500",
    "below: write 500 at 6000",
    "below: trim 904 at 4096",
    "below: trim 2192 at 6000",
  ]);
});

test("all but a range", async () => {
  const disk = await opened(pipe(ram(content), protect("~1000-1999")));
  await disk.write(Buffer.alloc(1000, 9), 1000n);
  await expect(async () => disk.write(Buffer.alloc(1, 9), 2000n)).rejects.toMatchObject({ code: "EPERM" });
  await expect(async () => disk.write(Buffer.alloc(1, 9), 999n)).rejects.toMatchObject({ code: "EPERM" });
});

test("zeroing that is to be fast does not read protected parts", async () => {
  const disk = await opened(pipe(ram(content), protect("5000-5999")));
  const fast = { fua: false, noHole: false, fastZero: true };
  await disk.zero(6000n, 100n, fast);
  await expect(async () => disk.zero(5999n, 100n, fast)).rejects.toMatchObject({ code: "ENOTSUP" });
});

test("the largest disk there is, all but its end", async () => {
  const size = 2n ** 63n - 1n;
  const disk = await opened(pipe(memory(size), protect({ start: size - 10n, complement: true })));
  await disk.write(Buffer.from("end"), size - 3n);
  await disk.zero(0n, size);
  await expect(async () => disk.write(Buffer.from("x"), 0n)).rejects.toMatchObject({ code: "EPERM" });
});

test("an error in reading what is protected is the client's", async () => {
  const disk = await opened(pipe(classRam(content), faulty(fail("read", { code: "EIO" })), protect("0-10")));
  await expect(async () => disk.write(Buffer.from("x"), 0n)).rejects.toMatchObject({ code: "EIO" });
});

describe("ranges", () => {
  test.each([
    ["0-511", [[0n, 512n]]],
    ["0x10-0x1f", [[16n, 32n]]],
    ["010-017", [[8n, 16n]]],
    ["-10", [[0n, 11n]]],
    ["10-", [[10n, 2n ** 63n]]],
    [
      "~10-20",
      [
        [0n, 10n],
        [21n, 2n ** 63n - 1n],
      ],
    ],
    ["~-", []],
  ])("%s", (text, expected) => {
    expect(spansOf(text).map(({ start, end }) => [start, end])).toEqual(expected);
  });

  test.each([
    ["5-3", "protect 5-3: the range ends before it starts"],
    ["10", 'protect "10": expected START-END in bytes'],
    ["1k-2k", 'protect "1k-2k": expected START-END'],
    ["08-9", 'protect "08-9": 08 is no octal number'],
    [{ start: -1 }, "start of protect -1: it is negative"],
    ["0-99999999999999999999", "end of protect 99999999999999999999: the largest is"],
  ])("%s is refused", (range, text) => {
    expect(() => protect(range)).toThrow(text);
  });

  test("are joined, cut and complemented as a table of bytes is", () => {
    const span = fc
      .tuple(fc.nat(50), fc.integer({ min: 1, max: 20 }))
      .map(([start, length]) => ({ start: BigInt(start), end: BigInt(start + length) }));
    fc.assert(
      fc.property(fc.array(span, { maxLength: 6 }), span, (list, { start, end }) => {
        const inside = (at: bigint, spans: typeof list): boolean => spans.some((one) => one.start <= at && at < one.end);
        const parts = within(joined(list), start, end);
        const rest = between(parts, start, end);
        for (let at = 0n; at < 80n; at += 1n) {
          const asked = at >= start && at < end;
          expect(inside(at, [...parts])).toBe(asked && inside(at, list));
          expect(inside(at, [...rest])).toBe(asked && !inside(at, list));
        }
      }),
    );
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "qemu-io"], "side by side with nbdkit", () => {
  test("the same bytes and map", async () => {
    await expectSame(["--filter=protect", "memory", "1000001", "protect=0-511", "protect=~0x1000-0x2000"]);
  });

  test("the same ranges are refused", async () => {
    for (const range of ["5-3", "10", "1k-2k"]) await expectBothRefuse(["--filter=protect", "memory", "1M", `protect=${range}`]);
  });

  test.each([
    ["write -P 1 0 512", 1],
    ["write -P 0 0 512", 0],
    ["write -z 0 8k", 0],
    ["discard 0 8k", 0],
    ["write -P 1 512 512", 0],
    ["write -P 1 256 512", 1],
    ["write -P 1 1M 512", 1],
    ["write -P 1 1044480 512", 0],
  ])("%s ends with %i", async (io, code) => {
    const argv = [
      "-U",
      "-",
      "--filter=protect",
      "memory",
      "2M",
      "protect=0-511",
      "protect=1048576-",
      "--run",
      `qemu-io -f raw -c '${io}' "$uri" >/dev/null 2>&1`,
    ];
    for (const who of ["nbdkit", "diskwright"] satisfies Who[]) expect((await command(who, argv)).code, who).toBe(code);
  });
});
