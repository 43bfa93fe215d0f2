// Several disks one after the other, as one.

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { zeroFlags } from "../../src/contract/flags.ts";
import { type DiskSource, file, memory, openDisk, type Plugin, pipe, split } from "../../src/index.ts";
import { type Call, fail, faulty, ram, recorded, testPlugin } from "../../src/testing/index.ts";
import { over, pattern, pluginOf, thrownBy } from "../contract/fixtures.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const everything = { write: true, flush: true, multiConn: true } as const;

describe("split memory disks", () => {
  const factory = (): Plugin => split([memory(100_001), memory(4096), memory(0), memory(777_777), memory("1M")]);
  const expected = { ...everything, trim: true, zero: true, extents: true, fua: "native", fastZero: true } as const;
  testPlugin({ test, factory, persistent: true, expect: expected });
});

describe("split files", () => {
  testPlugin({
    test,
    factory: () => split([files(100_000)[0] as string, memory("1M"), ...files(5, 500_000)]),
    persistent: true,
    expect: everything,
  });
});

describe("a split of disks that can do little", () => {
  const content = pattern(500_000);
  const little = (from: number, to: number): Plugin => pluginOf(over(content.slice(from, to)));
  testPlugin({ test, factory: () => split([little(0, 70_001), little(70_001, 70_002), little(70_002, 500_000)]), content });
});

test("the bytes of all, in their order; what is written goes where it belongs", async () => {
  const [a, b, c] = files(5, 10, 3) as [string, string, string];
  await using disk = await openDisk(split([a, b, c]));
  expect(disk.size).toBe(18n);
  const target = Buffer.alloc(18);
  await disk.read(target, 0n);
  expect(target).toEqual(Buffer.concat([pattern(5), pattern(10), pattern(3)]));
  await disk.write(Buffer.from("abcdefghijklmn"), 3n);
  expect(readFileSync(a).subarray(3).toString()).toBe("ab");
  expect(readFileSync(b).toString()).toBe("cdefghijkl");
  expect(readFileSync(c).subarray(0, 2).toString()).toBe("mn");
});

test("a request within one disk stays synchronous, and is lent where the disk lends", async () => {
  await using disk = await openDisk(split([memory("1M"), memory("1M")]));
  await disk.write(Buffer.alloc(4096, 7), 2n ** 20n);
  expect(disk.read(Buffer.alloc(100), 10n)).toBeUndefined();
  expect(disk.read(Buffer.alloc(100), 2n ** 20n - 50n)).toBeUndefined();
  expect(disk.views?.(2n ** 20n, 4096)?.[0]?.[0]).toBe(7);
  expect(disk.views?.(2n ** 20n - 1n, 2)).toBeUndefined();
});

test("the holes of each", async () => {
  const [path] = files(0) as [string];
  truncateSync(path, 65536);
  await using disk = await openDisk(split([memory(65536), ...files(65536), path]));
  const kinds = (await disk.extents(0n, disk.size)).map(({ offset, length, zero }) => `${zero ? "zero" : "data"} ${offset}+${length}`);
  expect(kinds).toEqual(["zero 0+65536", "data 65536+65536", "zero 131072+65536"]);
  expect(await disk.extents(0n, disk.size, { reqOne: true })).toHaveLength(1);
});

test("flags reach every disk that a request meets", async () => {
  const calls: Call[] = [];
  const part = (name: string): Plugin => pipe(ram(4096), recorded(name, calls));
  await using disk = await openDisk(split([part("a"), part("b"), part("c")]));
  await disk.write(Buffer.alloc(8192), 2048n, { fua: true });
  await disk.zero(4000n, 200n, zeroFlags(false, true, false));
  await disk.flush();
  expect(calls.map(String).slice(6)).toEqual([
    "a: write 2048 at 2048, fua",
    "b: write 4096 at 0, fua",
    "c: write 2048 at 0, fua",
    "a: zero 96 at 4000, noHole",
    "b: zero 104 at 0, noHole",
    "a: flush",
    "b: flush",
    "c: flush",
  ]);
});

test("what fails in one disk fails, once the others have ended", async () => {
  const broken = pipe(ram(4096), faulty(fail("write", { times: 1, code: "ENOSPC" })));
  await using disk = await openDisk(split([ram(4096), broken]));
  expect(await thrownBy(() => disk.write(Buffer.alloc(8192, 1), 0n))).toMatchObject({ code: "ENOSPC" });
});

test("with one disk that is read-only, all of it is", async () => {
  const readonly = pluginOf({ size: 512n, read: (target) => void target.fill(1) });
  await using disk = await openDisk(split([memory(512), readonly]));
  expect(disk.capabilities.write).toBe(false);
});

test("when one cannot be opened, the others are closed", async () => {
  let open = 0;
  const counted = pluginOf(() => {
    open += 1;
    const close = (): void => {
      open -= 1;
    };
    return over(new Uint8Array(512), { close });
  });
  const refusing = pluginOf(() => {
    throw new Error("not today");
  });
  await expect(openDisk(split([counted, counted, refusing]))).rejects.toThrow("not today");
  expect(open).toBe(0);
});

test("blocks of one disk are asked for on all, and it has to lie on one", async () => {
  const blocks = pluginOf(over(new Uint8Array(8192), { blockSize: { minimum: 512, preferred: 4096, maximum: 65536 } }));
  await using disk = await openDisk(split([ram(1024), blocks]));
  expect(disk.blockSize).toEqual({ minimum: 512, preferred: 4096, maximum: 65536 });
  await expect(openDisk(split([ram(1000), blocks]))).rejects.toThrow(
    "disk 2 cannot lie at 1000, for 8192 bytes: it has blocks of 512 bytes",
  );
});

test("more than 2^63-1 bytes are refused", async () => {
  await expect(openDisk(split([memory(2n ** 62n), memory(2n ** 62n)]))).rejects.toMatchObject({ code: "EINVAL" });
});

test.each([
  [[], /at least one path or plugin/],
  ["disk.img", /at least one/],
  [[file("x"), 7], /source 2 of split\(\) is neither a path nor a plugin: it is number 7/],
  [[{}], /source 1 of split\(\) is not a plugin: it has no open\(\)/],
])("split(%j) is refused", (sources, message) => {
  expect(() => split(sources as DiskSource[])).toThrow(message);
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "split and nbdkit's", () => {
  test("are the same bytes", async () => {
    await expectSame(["split", ...files(1000, 1, 100_000, 65_536)], { map: false });
  });

  test("refuse a file that is not there", async () => {
    await expectBothRefuse(["split", ...files(10), "/nowhere"]);
  });
});

/** Files of so many bytes. */
function files(...sizes: number[]): string[] {
  const folder = tree();
  return sizes.map((size, index) => {
    const path = join(folder, `part${index}`);
    writeFileSync(path, pattern(size));
    return path;
  });
}
