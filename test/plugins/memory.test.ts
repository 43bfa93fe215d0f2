// The memory plugin as its users see it, with every allocator.

import { describe, expect, test } from "vitest";
import { zeroFlags } from "../../src/contract/flags.ts";
import { type Allocator, type Disk, type Extent, type MemoryStore, memory, openDisk, type Plugin } from "../../src/index.ts";
import { pattern, thrownBy } from "../contract/fixtures.ts";

const MAX = 2n ** 63n - 1n;
const PAGE = 32768n;

async function readAt(disk: Disk, offset: bigint, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length).fill(0xee);
  await disk.read(target, offset);
  return target;
}

/** Long arrays are compared as buffers: a difference is one line, and quick to find. */
function same(found: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(found, expected) === 0;
}

/** Extents as words, to be read at a glance. */
async function map(disk: Disk, offset = 0n, length = disk.size - offset): Promise<string[]> {
  const words = ({ hole, zero }: Extent): string => (hole ? "hole" : zero ? "zero" : "data");
  return (await disk.extents(offset, length)).map((extent) => `${words(extent)} ${extent.offset}+${extent.length}`);
}

/** An allocator as another package would bring it: everything is a promise, nothing optional is there. */
const slow: Allocator = {
  name: "slow",
  async allocate(size) {
    const bytes = new Uint8Array(Number(size));
    return {
      read: async (target, offset) => target.set(bytes.subarray(Number(offset), Number(offset) + target.length)),
      write: async (source, offset) => bytes.set(source, Number(offset)),
      zero: async (offset, length) => void bytes.fill(0, Number(offset), Number(offset + length)),
    };
  },
};

describe.each([["sparse" as const], ["malloc" as const], [slow]])("memory with the allocator %o", (allocator) => {
  test("is zero at first and keeps what is written", async () => {
    await using disk = await openDisk(memory("1M", { allocator }));
    expect(disk.size).toBe(2n ** 20n);
    expect(await readAt(disk, 0n, 100)).toEqual(new Uint8Array(100));
    await disk.write(pattern(200_000), 77_777n);
    expect(same(await readAt(disk, 77_777n, 200_000), pattern(200_000))).toBe(true);
    expect(await readAt(disk, 77_776n, 1)).toEqual(new Uint8Array(1));
    expect(await readAt(disk, 277_777n, 1)).toEqual(new Uint8Array(1));
  });

  test("offers everything that a client may wish for", async () => {
    await using disk = await openDisk(memory("1M", { allocator }));
    expect(disk.capabilities).toMatchObject({
      write: true,
      flush: true,
      trim: true,
      zero: true,
      fua: "native",
      fastZero: true,
      trimZeroes: true,
      multiConn: true,
      rotational: false,
      cache: "native",
    });
    expect(disk.blockSize).toMatchObject({ minimum: 1, maximum: 0xffffffff });
    await disk.flush();
    await disk.cache(0n, 512n);
  });

  test("shows one content to all clients", async () => {
    const plugin = memory("64k", { allocator });
    await using one = await openDisk(plugin);
    await using other = await openDisk(plugin, { exportName: "any" });
    await one.write(pattern(512), 1024n);
    expect(await readAt(other, 1024n, 512)).toEqual(pattern(512));
  });

  test("keeps its content when it is closed and opened again", async () => {
    const plugin = memory("64k", { allocator });
    {
      await using disk = await openDisk(plugin);
      await disk.write(pattern(512), 0n);
    }
    await using disk = await openDisk(plugin);
    expect(await readAt(disk, 0n, 512)).toEqual(pattern(512));
  });

  test("two disks have nothing in common", async () => {
    await using one = await openDisk(memory("64k", { allocator }));
    await using other = await openDisk(memory("64k", { allocator }));
    await one.write(pattern(512), 0n);
    expect(await readAt(other, 0n, 512)).toEqual(new Uint8Array(512));
  });

  test("trimmed and zeroed parts read as zeroes, to the byte", async () => {
    await using disk = await openDisk(memory("256k", { allocator }));
    for (const make of ["trim", "zero"] as const) {
      await disk.write(new Uint8Array(262_144).fill(1), 0n);
      await disk[make](1n, 99_999n);
      const after = await readAt(disk, 0n, 262_144);
      expect(after.indexOf(0)).toBe(1);
      expect(after.lastIndexOf(0)).toBe(99_999);
      expect(after.filter((byte) => byte === 0).length).toBe(99_999);
    }
  });

  test("may be empty", async () => {
    await using disk = await openDisk(memory(0, { allocator }));
    expect(disk.size).toBe(0n);
    await disk.read(new Uint8Array(0), 0n);
    await disk.zero(0n, 0n);
    expect(await disk.extents(0n, 0n)).toEqual([]);
    expect(await thrownBy(() => disk.read(new Uint8Array(1), 0n))).toMatchObject({ code: "EINVAL" });
  });

  test("may end in the middle of a page", async () => {
    await using disk = await openDisk(memory(40_001, { allocator }));
    await disk.write(pattern(40_001), 0n);
    expect(same(await readAt(disk, 0n, 40_001), pattern(40_001))).toBe(true);
    expect(await thrownBy(() => disk.write(new Uint8Array(1), 40_001n))).toMatchObject({ code: "ENOSPC" });
    await disk.trim(0n, 40_001n);
    expect(same(await readAt(disk, 0n, 40_001), new Uint8Array(40_001))).toBe(true);
  });
});

describe("the built-in allocators answer at once", () => {
  test.each(["sparse", "malloc"] as const)("%s", async (allocator) => {
    await using disk = await openDisk(memory("1M", { allocator }));
    expect(disk.write(pattern(100_000), 5n)).toBeUndefined();
    expect(disk.read(new Uint8Array(100_000), 5n)).toBeUndefined();
    expect(disk.zero(5n, 100n)).toBeUndefined();
    expect(disk.trim(500n, 70_000n)).toBeUndefined();
    expect(disk.flush()).toBeUndefined();
    expect(disk.cache(0n, 512n)).toBeUndefined();
  });
});

describe("the sparse allocator", () => {
  test("knows holes, allocated zeroes and data", async () => {
    await using disk = await openDisk(memory("1M"));
    expect(await map(disk)).toEqual(["hole 0+1048576"]);
    await disk.write(pattern(1), PAGE + 7n);
    await disk.zero(4n * PAGE, 2n * PAGE, zeroFlags(false, true, false));
    expect(await map(disk)).toEqual([`hole 0+${PAGE}`, "data 32768+32768", "hole 65536+65536", "zero 131072+65536", "hole 196608+851968"]);
    expect(await map(disk, PAGE + 1n, 10n)).toEqual(["data 32769+10"]);
  });

  test("makes holes of what is trimmed or zeroed, unless it is told not to", async () => {
    await using disk = await openDisk(memory("128k"));
    await disk.write(new Uint8Array(131_072).fill(1), 0n);
    await disk.zero(0n, PAGE);
    await disk.trim(PAGE, PAGE);
    await disk.zero(2n * PAGE, PAGE, zeroFlags(false, true, false));
    expect(await map(disk)).toEqual(["hole 0+65536", "zero 65536+32768", "data 98304+32768"]);
    await disk.write(pattern(10), 2n * PAGE);
    expect(await map(disk, 2n * PAGE)).toEqual(["data 65536+65536"]);
    await disk.trim(0n, disk.size);
    expect(await map(disk)).toEqual(["hole 0+131072"]);
  });

  test("makes a hole of a page once its last part is zeroed", async () => {
    await using disk = await openDisk(memory("64k"));
    await disk.write(new Uint8Array(65_536).fill(1), 0n);
    await disk.trim(4096n, PAGE - 4096n);
    expect(await map(disk)).toEqual(["data 0+65536"]);
    await disk.trim(0n, 4096n);
    expect(await map(disk)).toEqual(["hole 0+32768", "data 32768+32768"]);
    await disk.zero(PAGE, PAGE - 1n, zeroFlags(false, true, false));
    await disk.zero(PAGE, PAGE, zeroFlags(false, true, false));
    expect(await map(disk, PAGE)).toEqual(["zero 32768+32768"]);
  });

  test("treats the last page like any other, also when the disk ends within it", async () => {
    await using disk = await openDisk(memory(PAGE + 100n));
    await disk.write(new Uint8Array(100).fill(1), PAGE);
    await disk.zero(PAGE, 100n, zeroFlags(false, true, false));
    expect(await map(disk, PAGE)).toEqual(["zero 32768+100"]);
    await disk.write(new Uint8Array(1).fill(1), PAGE + 99n);
    await disk.trim(PAGE, 100n);
    expect(await map(disk)).toEqual(["hole 0+32868"]);
  });

  test("the largest disk can be written at its very end, and lists what it holds at once", async () => {
    await using disk = await openDisk(memory(MAX));
    await disk.write(pattern(100_000), MAX - 100_000n);
    await disk.write(pattern(512), 0n);
    expect(same(await readAt(disk, MAX - 100_000n, 100_000), pattern(100_000))).toBe(true);
    const end = MAX - 100_000n - ((MAX - 100_000n) % PAGE);
    expect(await map(disk)).toEqual([`data 0+${PAGE}`, `hole ${PAGE}+${end - PAGE}`, `data ${end}+${MAX - end}`]);
    await disk.zero(1n, MAX - 2n);
    expect(await readAt(disk, 0n, 2)).toEqual(Uint8Array.of(pattern(1)[0] as number, 0));
    expect(await readAt(disk, MAX - 2n, 2)).toEqual(Uint8Array.of(0, pattern(100_000)[99_999] as number));
    await disk.trim(0n, MAX);
    expect(await map(disk)).toEqual([`hole 0+${MAX}`]);
  });

  test.each([2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 32n, 2n ** 31n])("is exact around %d bytes", async (middle) => {
    await using disk = await openDisk(memory(MAX));
    for (const [i, at] of [middle - 3n, middle - 2n, middle - 1n, middle, middle + 1n, middle + 2n].entries()) {
      await disk.write(Uint8Array.of(i + 1), at);
    }
    expect(await readAt(disk, middle - 5n, 10)).toEqual(Uint8Array.of(0, 0, 1, 2, 3, 4, 5, 6, 0, 0));
  });

  test("refuses to allocate more zeroes than the machine has memory for, and changes nothing", async () => {
    await using disk = await openDisk(memory("8P"));
    const error = await thrownBy(() => disk.zero(0n, disk.size, zeroFlags(false, true, false)));
    expect(error).toMatchObject({ code: "ENOSPC", message: expect.stringContaining("without making a hole") });
    expect(await map(disk)).toEqual([`hole 0+${disk.size}`]);
    await disk.zero(0n, disk.size);
  });
});

describe("what is lent", () => {
  /** The range as views, joined. */
  function lent(disk: Disk, offset: bigint, length: number): Buffer {
    return Buffer.concat(disk.views?.(offset, length) ?? []);
  }

  test.each(["sparse", "malloc"] as const)("%s lends what it would read, holes included", async (allocator) => {
    await using disk = await openDisk(memory("1M", { allocator }));
    await disk.write(pattern(200_000), 100_001n);
    await disk.write(pattern(5), 700_000n);
    for (const [offset, length] of [
      [0n, 1_048_576],
      [99_999n, 3],
      [100_001n, 200_000],
      [300_000n, 748_576],
      [131_072n, 1],
    ] as const) {
      expect(lent(disk, offset, length).equals(await readAt(disk, offset, length))).toBe(true);
    }
  });

  test("a disk that was written from front to back is lent in one piece", async () => {
    await using disk = await openDisk(memory("256M"));
    const source = pattern(1 << 20);
    for (let at = 0n; at < 2n ** 26n; at += 2n ** 20n) await disk.write(source, at);
    expect(disk.views?.(2n ** 25n, 1 << 20)).toHaveLength(1);
    expect(disk.views?.(2n ** 25n + 5n, 1 << 20)).toHaveLength(1);
  });

  test("never comes to show another part of the disk, whatever is trimmed and written while it is lent", async () => {
    await using disk = await openDisk(memory("64M"));
    const secret = new Uint8Array(32_768).fill(0x5e);
    for (let page = 0n; page < 64n; page++) await disk.write(new Uint8Array(32_768).fill(0xaa), page * PAGE);
    const pieces = [0n, 1n, 2n, 3n].flatMap((page) => disk.views?.(page * PAGE, 32_768) ?? []);
    await disk.trim(0n, 64n * PAGE);
    for (let page = 64n; page < 2048n; page++) await disk.write(secret, page * PAGE);
    for (const piece of pieces) expect(piece.every((byte) => byte === 0xaa || byte === 0)).toBe(true);
  });

  test("a hole that is lent stays zero when it is written to, here and elsewhere", async () => {
    await using disk = await openDisk(memory("1M"));
    await disk.zero(PAGE, PAGE, zeroFlags(false, true, false));
    const pieces = disk.views?.(0n, 1_048_576) ?? [];
    await disk.write(new Uint8Array(1_048_576).fill(1), 0n);
    for (const piece of pieces) expect(piece.every((byte) => byte === 0)).toBe(true);
    await disk.trim(0n, 524_288n);
    expect(lent(disk, 0n, 524_288).every((byte) => byte === 0)).toBe(true);
  });
});

describe("what memory() refuses", () => {
  test.each<[unknown, RegExp]>([
    ["-1", /negative/],
    ["8E", /2\^63-1/],
    [2n ** 63n, /2\^63-1/],
    ["1X", /expected bytes/],
    ["", /expected bytes/],
    [1.5, /whole/],
    [undefined, /size undefined/],
  ])("the size %s", async (size, message) => {
    expect(await thrownBy(() => memory(size as string))).toMatchObject({ code: "EINVAL", message: expect.stringMatching(message) });
  });

  test.each<[unknown, string]>([
    ["zstd", '"zstd"'],
    ["", '""'],
    [42, "42"],
    [null, "null"],
    [{ name: "half" }, "[object Object]"],
    [function zstd() {}, "function zstd"],
  ])("the allocator %o", async (allocator, shown) => {
    const error = await thrownBy(() => memory("1M", { allocator: allocator as "sparse" }));
    expect(error).toMatchObject({ code: "EINVAL", message: expect.stringContaining(shown) });
    expect(error).toMatchObject({ message: expect.stringContaining('expected "sparse", "malloc" or an allocator') });
  });

  test("malloc disks that fit in no buffer do not start, and name the way out", async () => {
    for (const size of ["8191P", MAX]) {
      const error = await thrownBy(() => openDisk(memory(size, { allocator: "malloc" })));
      expect(error).toMatchObject({ code: "ENOMEM", message: expect.stringContaining('use the allocator "sparse"') });
    }
  });
});

describe("an allocator of one's own", () => {
  test("is asked for a store once, with the size, and again only if that failed", async () => {
    const sizes: bigint[] = [];
    const allocator: Allocator = {
      name: "flaky",
      async allocate(size) {
        sizes.push(size);
        if (sizes.length === 1) throw new Error("not yet");
        return slow.allocate(size);
      },
    };
    const plugin: Plugin = memory("4k", { allocator });
    expect(await thrownBy(() => openDisk(plugin))).toMatchObject({ message: "not yet" });
    await using one = await openDisk(plugin);
    await using other = await openDisk(plugin);
    expect([one.size, other.size]).toEqual([4096n, 4096n]);
    expect(sizes).toEqual([4096n, 4096n]);
  });

  test("may be a class, and gets to know how to zero", async () => {
    const seen: unknown[] = [];
    class Watching implements MemoryStore {
      readonly blockSize = { minimum: 512, preferred: 512, maximum: 1024 };
      read(): void {
        seen.push(["read", this instanceof Watching]);
      }
      write(): void {}
      zero(offset: bigint, length: bigint, flags: object): void {
        seen.push([offset, length, flags]);
      }
      *extents(offset: bigint, length: bigint): Generator<Extent> {
        yield { offset, length, zero: true };
      }
    }
    await using disk = await openDisk(memory("4k", { allocator: { name: "watching", allocate: () => new Watching() } }));
    expect(disk.blockSize?.maximum).toBe(1024);
    await disk.read(new Uint8Array(512), 0n);
    await disk.zero(0n, 512n, zeroFlags(false, true, true));
    await disk.trim(512n, 512n);
    expect(seen).toEqual([
      ["read", true],
      [0n, 512n, { fua: false, noHole: true, fastZero: true }],
      [512n, 512n, { fua: false, noHole: false, fastZero: false }],
    ]);
    expect(await map(disk)).toEqual(["zero 0+4096"]);
  });

  test("must make a store", async () => {
    const allocator = { name: "empty", allocate: () => ({ read() {}, write() {} }) } as unknown as Allocator;
    expect(await thrownBy(() => openDisk(memory("1M", { allocator })))).toMatchObject({
      message: "allocator empty made a store without zero()",
    });
  });
});
