// The cow filter: what is written stays above, is seen by all, and is gone at the end.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { OpenRequest } from "../../src/index.ts";
import { cow, filter, memory, openDisk, pipe } from "../../src/index.ts";
import { type Call, fail, faulty, hold, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { bytesOf, numbers, opened } from "../fixtures/opened.ts";
import { tree } from "../fixtures/tree.ts";

beforeEach(() => vi.stubEnv("TMPDIR", tree()));
afterEach(() => vi.unstubAllEnvs());

describe("contract", () => {
  testFilter({
    test,
    filter: () => cow({ blockSize: "4k" }),
    transparent: true,
    holdsWrites: true,
    expect: { write: true, trim: true, zero: true },
  });
});

describe("contract, with large blocks", () => {
  testFilter({ test, filter: () => cow(), transparent: true, holdsWrites: true });
});

describe("contract, copying what is read", () => {
  testFilter({ test, filter: () => cow({ blockSize: 8192, onRead: true, onCache: true }), transparent: true, holdsWrites: true });
});

test("what is written is read, and the disk below is as it was", async () => {
  const below = ram(numbers);
  const disk = await opened(pipe(below, cow()));
  await disk.write(Buffer.from("hello"), 70_000n);
  expect((await bytesOf(disk, 69_999n, 7)).toString("latin1")).toBe(
    `${String.fromCharCode(numbers[69_999] ?? 0)}hello${String.fromCharCode(numbers[70_005] ?? 0)}`,
  );
  expect(Buffer.compare(below.bytes, numbers)).toBe(0);
});

test("a disk that cannot be written can be written, and is opened as one that will not be", async () => {
  const wishes: boolean[] = [];
  const witness = filter("witness", () => ({}), {
    open(next, request: OpenRequest) {
      wishes.push(request.readonly);
      return next.open(request);
    },
  });
  const disk = await opened(pipe(ram(numbers, { readonly: true }), witness, cow()));
  await disk.write(Buffer.from("x"), 0n);
  expect((await bytesOf(disk, 0n, 1)).toString()).toBe("x");
  expect(wishes).toEqual([true]);
});

test("every client of an export sees the same, another export has its own", async () => {
  const plugin = pipe(ram(numbers), cow());
  const [one, two, other] = [await opened(plugin, "a"), await opened(plugin, "a"), await opened(plugin, "b")];
  await one.write(Buffer.from("shared"), 5n);
  expect(one.capabilities.multiConn).toBe(true);
  expect((await bytesOf(two, 5n, 6)).toString()).toBe("shared");
  expect(await bytesOf(other, 5n, 6)).toEqual(Buffer.from(numbers.subarray(5, 11)));
});

test("it is thrown away when the last is done with it", async () => {
  const plugin = pipe(ram(numbers), cow());
  const keeper = await openDisk(plugin);
  const first = await openDisk(plugin);
  await first.write(Buffer.from("x"), 0n);
  await first.close();
  expect((await bytesOf(keeper, 0n, 1)).toString()).toBe("x");
  await keeper.close();
  expect(await bytesOf(await opened(plugin), 0n, 1)).toEqual(Buffer.from(numbers.subarray(0, 1)));
});

test("one cow() laid over two disks keeps them apart", async () => {
  const filter = cow();
  const [one, two] = [await opened(pipe(ram(10), filter)), await opened(pipe(ram(10), filter))];
  await one.write(Buffer.from("x"), 0n);
  expect(await bytesOf(two, 0n, 1)).toEqual(Buffer.alloc(1));
});

test("whole blocks are written without reading below, parts read the rest of their block once", async () => {
  const calls: Call[] = [];
  const disk = await opened(pipe(ram(numbers), recorded("below", calls), cow({ blockSize: 4096 })));
  calls.length = 0;
  await disk.write(Buffer.alloc(8192, 1), 4096n);
  await disk.write(Buffer.alloc(1696, 1), 98_304n);
  expect(calls).toEqual([]);
  await disk.write(Buffer.alloc(10, 2), 20_490n);
  await disk.write(Buffer.alloc(10, 3), 20_500n);
  await disk.write(Buffer.alloc(10, 4), 4100n);
  expect(calls.map(String)).toEqual(["below: read 4096 at 20480"]);
});

test("over a disk that answers at once it answers at once", async () => {
  const disk = await opened(pipe(ram(numbers), cow()));
  const page = Buffer.alloc(4096, 1);
  expect(disk.read(page, 0n)).toBeUndefined();
  expect(disk.zero(0n, 65_536n)).toBeUndefined();
  expect(disk.trim(10n, 65_536n)).toBeUndefined();
  expect(disk.flush()).toBeUndefined();
  expect(disk.extents(0n, 100_000n)).not.toBeInstanceOf(Promise);
});

test("what nobody wrote to is lent by the disk below, what somebody wrote is not", async () => {
  const disk = await opened(pipe(ram(numbers), cow({ blockSize: 4096 })));
  expect(Buffer.concat(disk.views?.(5000n, 10) ?? [])).toEqual(Buffer.from(numbers.subarray(5000, 5010)));
  await disk.write(Buffer.alloc(1), 8192n);
  expect(disk.views?.(8191n, 2)).toBeUndefined();
  expect(disk.views?.(12_288n, 10)).toBeDefined();
});

describe("extents", () => {
  test("are those of the overlay, and those below in between", async () => {
    const content = new Uint8Array(65_536 + 100);
    content.fill(1, 16_384, 32_768);
    const disk = await opened(pipe(ram(content), cow({ blockSize: 4096 })));
    await disk.write(Buffer.alloc(4096), 4096n);
    await disk.zero(20_480n, 8192n);
    await disk.zero(40_960n, 4096n, { noHole: true, fua: false, fastZero: false });
    const map = [];
    for (let at = 0n; at < disk.size; ) {
      for (const { offset, length, hole } of await disk.extents(at, disk.size - at)) {
        map.push(`${offset}+${length} ${hole ? "hole" : "data"}`);
        at = offset + length;
      }
    }
    expect(map).toEqual([
      "0+4096 hole",
      "4096+4096 data",
      "8192+8192 hole",
      "16384+4096 data",
      "20480+8192 hole",
      "28672+4096 data",
      "32768+8192 hole",
      "40960+4096 data",
      "45056+20580 hole",
    ]);
    expect(await disk.extents(20_490n, 1000n, { reqOne: true })).toEqual([{ offset: 20_490n, length: 1000n, hole: true, zero: true }]);
  });

  test("of one kind come as one, also where the overlay ends", async () => {
    const disk = await opened(pipe(ram(65_536), cow({ blockSize: 4096 })));
    await disk.write(Buffer.alloc(4096, 1), 8192n);
    await disk.trim(8192n, 4096n);
    expect(await disk.extents(0n, 65_536n, { reqOne: true })).toEqual([{ offset: 0n, length: 65_536n, hole: true, zero: true }]);
  });
});

describe("the largest disk there is", () => {
  const size = 2n ** 63n - 1n;

  test("is written at its ends, zeroed and trimmed as a whole, and mapped", async () => {
    const disk = await opened(pipe(memory(size), cow({ blockSize: "4k" })));
    await disk.write(Buffer.from("the end"), size - 7n);
    await disk.write(Buffer.from("the start"), 0n);
    expect((await bytesOf(disk, size - 7n, 7)).toString()).toBe("the end");
    const map = await disk.extents(0n, size);
    expect(map.map(({ hole, length }) => [hole, length])).toEqual([
      [false, 4096n],
      [true, size - 4096n - 4095n],
      [false, 4095n],
    ]);
    await disk.zero(1n, size - 2n);
    expect(await bytesOf(disk, size - 7n, 7)).toEqual(Buffer.from("\0\0\0\0\0\0d"));
    expect((await bytesOf(disk, 0n, 9)).toString()).toBe("t\0\0\0\0\0\0\0\0");
    await disk.trim(0n, size);
    expect(await disk.extents(0n, size)).toEqual([{ offset: 0n, length: size, hole: true, zero: true }]);
  });
});

describe("reading and caching into the overlay", () => {
  test("what is read is read from below once", async () => {
    const calls: Call[] = [];
    const disk = await opened(pipe(ram(numbers), recorded("below", calls), cow({ blockSize: 4096, onRead: true })));
    calls.length = 0;
    for (let i = 0; i < 3; i += 1) expect(await bytesOf(disk, 5000n, 10_000)).toEqual(Buffer.from(numbers.subarray(5000, 15_000)));
    expect(calls.map(String)).toEqual(["below: read 12288 at 4096"]);
  });

  test("a file switches it on and off", async () => {
    const calls: Call[] = [];
    const path = join(tree(), "on");
    const disk = await opened(pipe(ram(numbers), recorded("below", calls), cow({ blockSize: 4096, onRead: path })));
    calls.length = 0;
    await bytesOf(disk, 0n, 10);
    await bytesOf(disk, 0n, 10);
    writeFileSync(path, "");
    await bytesOf(disk, 0n, 10);
    await bytesOf(disk, 0n, 10);
    expect(calls.map(String)).toEqual(["below: read 10 at 0", "below: read 10 at 0", "below: read 4096 at 0"]);
  });

  test("what cannot be copied is read all the same", async () => {
    const disk = await opened(pipe(ram(numbers), faulty(fail("read", { at: 4000n })), cow({ blockSize: 4096, onRead: true })));
    expect(await bytesOf(disk, 0n, 10)).toEqual(Buffer.from(numbers.subarray(0, 10)));
    await expect(async () => bytesOf(disk, 3990n, 100)).rejects.toMatchObject({ code: "EIO" });
  });

  test("zeroes take no room", async () => {
    const disk = await opened(pipe(ram(100_000), cow({ blockSize: 4096, onRead: true })));
    await bytesOf(disk, 0n, 100_000);
    expect(await disk.extents(0n, 100_000n)).toEqual([{ offset: 0n, length: 100_000n, hole: true, zero: true }]);
  });

  test("caching is passed on where nothing was written, or copies", async () => {
    const calls: Call[] = [];
    const disk = await opened(pipe(ram(numbers), recorded("below", calls), cow({ blockSize: 4096 })));
    await disk.write(Buffer.alloc(4096), 4096n);
    calls.length = 0;
    await disk.cache(10n, 20_000n);
    expect(calls.map(String)).toEqual(["below: cache 4086 at 10", "below: cache 11818 at 8192"]);
    const copying = await opened(pipe(ram(numbers), recorded("below", calls), cow({ blockSize: 4096, onCache: true })));
    calls.length = 0;
    await copying.cache(10n, 5000n);
    expect(await bytesOf(copying, 8000n, 100)).toEqual(Buffer.from(numbers.subarray(8000, 8100)));
    expect(calls.map(String)).toEqual(["below: read 8192 at 0"]);
  });
});

describe("errors", () => {
  test("of the disk below reach the client, and leave the overlay as it was", async () => {
    const disk = await opened(pipe(ram(numbers), faulty(fail("read", { nth: 1, code: "EPERM" })), cow({ blockSize: 4096 })));
    await expect(async () => disk.write(Buffer.from("x"), 10n)).rejects.toMatchObject({ code: "EPERM" });
    expect(await bytesOf(disk, 0n, 100)).toEqual(Buffer.from(numbers.subarray(0, 100)));
    await disk.write(Buffer.from("x"), 10n);
    expect((await bytesOf(disk, 10n, 1)).toString()).toBe("x");
  });

  test("a disk below that cannot be read at all can still be overwritten", async () => {
    const disk = await opened(pipe(ram(numbers), faulty(fail("read")), cow({ blockSize: 4096 })));
    await disk.write(Buffer.alloc(4096, 7), 4096n);
    expect(await bytesOf(disk, 4096n, 4096)).toEqual(Buffer.alloc(4096, 7));
    await disk.zero(8192n, 4096n);
    await disk.write(Buffer.from("x"), 8200n);
    await expect(async () => bytesOf(disk, 4096n, 10_000)).rejects.toMatchObject({ code: "EIO" });
  });

  test("a disk that has been resized is refused", async () => {
    let size = 100_000;
    const plugin = pipe({ name: "growing", open: () => ({ size: BigInt(size), read: (target) => void target.fill(1) }) }, cow());
    await opened(plugin);
    size = 200_000;
    await expect(openDisk(plugin)).rejects.toThrow("the disk below cow had 100000 bytes and has 200000 now");
  });

  test("a temporary folder that is not there is said when it starts", async () => {
    vi.stubEnv("TMPDIR", "/nowhere/at/all");
    await expect(openDisk(pipe(ram(10), cow()))).rejects.toThrow("cannot make a temporary file for the overlay of cow in /nowhere/at/all");
  });

  test("blocks that the disk below cannot read are refused", async () => {
    const coarse = filter("coarse", () => ({ blockSize: { minimum: 65_536, preferred: 65_536, maximum: 65_536 } }));
    await expect(openDisk(pipe(ram(100_000), coarse, cow({ blockSize: 4096 })))).rejects.toThrow(
      "blocks of 4096 bytes are too small for cow",
    );
  });
});

test("parts of one block that are written at once are all there", async () => {
  const held = hold("read");
  const disk = await opened(pipe(ram(numbers), faulty(held), cow({ blockSize: 65_536 })));
  const writes = [1, 2, 3, 4].map((value) => disk.write(Buffer.alloc(10, value), BigInt(value * 10)));
  const reading = bytesOf(disk, 0n, 60);
  await held.arrived;
  held.release();
  await Promise.all(writes);
  const all = await bytesOf(disk, 0n, 60);
  expect(all).toEqual(
    Buffer.concat([numbers.subarray(0, 10), ...[1, 2, 3, 4].map((value) => Buffer.alloc(10, value)), numbers.subarray(50, 60)]),
  );
  await reading;
});

test("a read that is under way does not get what a slot is used for next", async () => {
  const held = hold("read");
  const disk = await opened(pipe(ram(numbers), faulty(held), cow({ blockSize: 4096 })));
  await disk.write(Buffer.alloc(4096, 1), 4096n);
  // Half of it waits below, so that the read of the slot is under way for as long.
  const reading = bytesOf(disk, 4096n, 8192);
  const zeroing = disk.zero(4096n, 4096n);
  const writing = disk.write(Buffer.alloc(4096, 9), 40_960n);
  held.release();
  await Promise.all([zeroing, writing]);
  expect((await reading).subarray(0, 4096)).toEqual(Buffer.alloc(4096, 1));
});

test.each([
  [{ blockSize: 1000 }, "blockSize of cow 1000: expected a power of two from 4096"],
  [{ blockSize: 2048 }, "blockSize of cow 2048"],
  [{ blockSize: "128M" }, "blockSize of cow 128M"],
  [{ onRead: "relative" }, 'onRead of cow "relative": expected true, false or the absolute path'],
  [{ onRead: 1 }, "onRead of cow 1"],
  [{ onCache: "yes" }, "onCache of cow yes: expected true or false"],
])("%j is refused", (options, text) => {
  expect(() => cow(options as never)).toThrow(text);
});
