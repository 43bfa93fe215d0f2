// A memory disk in compressed pages.

import { zstd } from "@diskwright/zstd";
import { type Disk, memory, openDisk } from "diskwright";
import { testPlugin } from "diskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { random, sample } from "../../../test/fixtures/sample.ts";
import { loadNapi, loadZlib } from "../src/codec/codec.ts";
import { CompressedStore } from "../src/pages/store.ts";

const PAGE = 32 * 1024;
const KIB = 1024;

async function open(size: Parameters<typeof memory>[0], allocator: ReturnType<typeof zstd> = zstd()): Promise<Disk> {
  const disk = await openDisk(memory(size, { allocator }));
  onTestFinished(() => disk.close());
  return disk;
}

async function read(disk: Disk, offset: bigint, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  await disk.read(target, offset);
  return target;
}

describe("the conformance suite", () => {
  for (const [name, options] of [
    ["as it is", {}],
    ["with a single hot page", { hot: 1 }],
  ] as const) {
    testPlugin({
      test,
      name,
      factory: () => memory("1000001", { allocator: zstd(options) }),
      expect: { write: true, trim: true, zero: true, extents: true, fastZero: true, multiConn: true },
      persistent: true,
    });
  }
});

describe("a disk", () => {
  test("of a terabyte takes the memory of what is written to it, compressed", async () => {
    const pages = zstd();
    const disk = await open("1T", pages);
    const text = Buffer.alloc(4 * 1024 * KIB, "all work and no play makes Jack a dull boy\n");
    await disk.write(text, 2n ** 39n);
    expect((await read(disk, 2n ** 39n, text.length)).equals(text)).toBe(true);
    expect(pages.usage.data).toBe(text.length);
    expect(pages.usage.compressed).toBeLessThan(text.length / 50);
    expect(pages.usage.memory).toBeLessThan(text.length / 10);
  });

  test("has holes where nothing was written, or zeroes were", async () => {
    const disk = await open("1G");
    await disk.write(sample(2 * PAGE), BigInt(10 * PAGE));
    await disk.write(Buffer.from("x"), BigInt(20 * PAGE + 5));
    await disk.write(Buffer.alloc(4 * PAGE), BigInt(40 * PAGE));
    const extents = (await disk.extents(0n, disk.size)).map(({ offset, length, hole, zero }) => [
      Number(offset) / PAGE,
      Number(length) / PAGE,
      hole,
      zero,
    ]);
    expect(extents).toEqual([
      [0, 10, true, true],
      [10, 2, false, false],
      [12, 8, true, true],
      [20, 1, false, false],
      [21, 32768 - 21, true, true],
    ]);
  });

  test("gives up what is trimmed, and pages that become zero bit by bit", async () => {
    const pages = zstd();
    const disk = await open("1G", pages);
    await disk.write(sample(20 * PAGE), 5n);
    await disk.trim(0n, BigInt(10 * PAGE));
    await disk.zero(BigInt(10 * PAGE), BigInt(PAGE / 2));
    await disk.zero(BigInt(10 * PAGE + PAGE / 2), BigInt(20 * PAGE));
    expect(pages.usage).toEqual({ data: 0, compressed: 0, memory: 0 });
    expect(await read(disk, 0n, PAGE)).toEqual(Buffer.alloc(PAGE));
  });

  test("keeps what does not compress as it is", async () => {
    const pages = zstd();
    const disk = await open("1M", pages);
    const noise = Buffer.from(Array.from({ length: 4 * PAGE }, random(1)));
    await disk.write(noise, 0n);
    expect(await read(disk, 0n, noise.length)).toEqual(noise);
    expect(pages.usage.compressed).toBe(noise.length);
  });

  test("that is full by its limit refuses what is too much with ENOSPC, and keeps what it has", async () => {
    const disk = await open("1G", zstd({ limit: "1M", hot: "64k" }));
    const noise = Buffer.from(Array.from({ length: PAGE }, random(2)));
    let written = 0;
    await expect(
      (async () => {
        for (; written < 100; written += 1) await disk.write(noise, BigInt(written * PAGE));
      })(),
    ).rejects.toMatchObject({ code: "ENOSPC", message: expect.stringContaining("1048576 bytes are all that it may take") });
    expect(written).toBeGreaterThan(20);
    for (let page = 0; page < written; page += 1) expect((await read(disk, BigInt(page * PAGE), PAGE)).equals(noise)).toBe(true);
    await disk.trim(0n, BigInt(8 * PAGE));
    await disk.write(noise, BigInt(90 * PAGE));
  });

  test("starts with what the allocator's other disks do not have", async () => {
    const pages = zstd();
    const [one, other] = [await open("1M", pages), await open("1M", pages)];
    await one.write(Buffer.from("x"), 0n);
    expect(await read(other, 0n, 1)).toEqual(Buffer.alloc(1));
    expect(pages.usage.data).toBe(PAGE);
  });
});

test.each([
  [{ level: 1.5 }, "level 1.5: expected a whole number"],
  [{ hot: "lots" }, 'hot "lots"'],
  [{ limit: -1 }, "limit -1"],
])("%o is refused", (options, text) => {
  expect(() => zstd(options)).toThrow(text);
});

test("a level that there is not is refused when the disk starts", async () => {
  await expect(openDisk(memory("1M", { allocator: zstd({ level: 99 }) }))).rejects.toThrow(/level 99: .* has levels -\d+ to 22/);
});

describe.each([
  ["zstd-napi", loadNapi],
  ["node:zlib", loadZlib],
] as const)("with %s", (name, load) => {
  test("random operations come to what an array of bytes comes to", async (context) => {
    const codec = await load();
    context.skip(codec === undefined, `${name} is not there`);
    if (codec === undefined) return;
    const size = 20 * PAGE + 777;
    const store = new CompressedStore(BigInt(size), codec, { level: 1, hot: 3, limit: Number.POSITIVE_INFINITY });
    const model = Buffer.alloc(size);
    const source = sample(4 * PAGE, 8);
    const next = random(42);
    for (let round = 0; round < 3000; round += 1) {
      const offset = next() % size;
      const length = 1 + (next() % Math.min(size - offset, next() % 3 === 0 ? 4 * PAGE : 3000));
      const kind = next() % 4;
      if (kind === 0) {
        const target = Buffer.alloc(length, 0xee);
        store.read(target, BigInt(offset));
        expect(target.equals(model.subarray(offset, offset + length)), `round ${round}`).toBe(true);
      } else if (kind === 1) {
        store.zero(BigInt(offset), BigInt(length), { fua: false, fastZero: false, noHole: next() % 2 === 0 });
        model.fill(0, offset, offset + length);
      } else {
        const from = next() % (source.length - length + 1);
        store.write(source.subarray(from, from + length), BigInt(offset));
        source.copy(model, offset, from, from + length);
      }
    }
    const all = Buffer.alloc(size);
    store.read(all, 0n);
    expect(all.equals(model)).toBe(true);
    let at = 0n;
    for (const { offset, length, zero } of store.extents(0n, BigInt(size))) {
      expect(offset).toBe(at);
      at += length;
      if (zero) expect(all.subarray(Number(offset), Number(at)).every((byte) => byte === 0)).toBe(true);
    }
    expect(at).toBe(BigInt(size));
  });
});
