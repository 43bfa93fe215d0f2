// The cache filter: what is kept, when it reaches the disk below, and that nothing is lost on the way.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { CacheOptions } from "../../src/index.ts";
import { cache, filter, memory, openDisk, pipe } from "../../src/index.ts";
import { type Call, fail, faulty, hold, type Ram, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { bytesOf, numbers, opened } from "../fixtures/opened.ts";
import { tree } from "../fixtures/tree.ts";

beforeEach(() => vi.stubEnv("TMPDIR", tree()));
afterEach(() => vi.unstubAllEnvs());

const block = (value: number): Buffer => Buffer.alloc(4096, value);

/** A disk with what reaches it, and blocks of 4 KiB. */
async function watched(options: CacheOptions = {}, below: Ram = ram(numbers)) {
  const calls: Call[] = [];
  const disk = await opened(pipe(below, recorded("below", calls), cache({ blockSize: 4096, ...options })));
  calls.length = 0;
  const texts = (): string[] => calls.splice(0).map((call) => String(call).replace("below: ", ""));
  return { below, disk, texts };
}

describe("contract", () => {
  testFilter({ test, filter: () => cache({ blockSize: "4k" }), transparent: true });
});

describe("contract, with everything kept in little room", () => {
  testFilter({ test, filter: () => cache({ blockSize: "4k", maxSize: "32k", maxDirty: "16k", onRead: true }), transparent: true });
});

describe("contract, written through", () => {
  testFilter({ test, filter: () => cache({ blockSize: 8192, mode: "writethrough", onRead: true }), transparent: true });
});

describe("writing back", () => {
  test("what is written is read, and reaches the disk below with a flush, in its order and together", async () => {
    const { below, disk, texts } = await watched();
    await disk.write(block(3), 12_288n);
    await disk.write(block(1), 0n);
    await disk.write(block(2), 4096n);
    expect(await bytesOf(disk, 4095n, 2)).toEqual(Buffer.from([1, 2]));
    expect(texts()).toEqual([]);
    await disk.flush();
    expect(texts()).toEqual(["write 8192 at 0", "write 4096 at 12288", "flush"]);
    expect(below.stable[12_288]).toBe(3);
    await disk.flush();
    expect(texts()).toEqual(["flush"]);
  });

  test("a part of a block reads the rest once; what is kept is written into", async () => {
    const { below, disk, texts } = await watched();
    await disk.write(Buffer.from("abc"), 5000n);
    await disk.write(Buffer.from("def"), 5003n);
    expect(texts()).toEqual(["read 4096 at 4096"]);
    await disk.flush();
    expect(Buffer.from(below.stable.subarray(4999, 5007)).toString("latin1")).toBe(
      `${String.fromCharCode(numbers[4999] ?? 0)}abcdef${String.fromCharCode(numbers[5006] ?? 0)}`,
    );
  });

  test("FUA goes through at once, and only what it asks for", async () => {
    const { below, disk, texts } = await watched();
    await disk.write(block(1), 0n);
    await disk.write(Buffer.from("fua"), 10n, { fua: true });
    expect(texts()).toEqual(["write 3 at 10, fua"]);
    expect(Buffer.from(below.stable.subarray(9, 14))).toEqual(Buffer.from([numbers[9], 102, 117, 97, numbers[13]] as number[]));
    expect((await bytesOf(disk, 9n, 5)).toString("latin1")).toBe("\u0001fua\u0001");
    await disk.flush();
    expect(below.stable[0]).toBe(1);
  });

  test("what was flushed is there after a power cut, what was not need not be", async () => {
    const { below, disk } = await watched();
    await disk.write(block(1), 0n);
    await disk.flush();
    await disk.write(block(2), 0n);
    await disk.write(block(3), 4096n);
    const after = await opened(below.afterPowerCut());
    expect((await bytesOf(after, 0n, 4097)).subarray(0, 4096)).toEqual(block(1));
  });

  test("closing writes back", async () => {
    const { below, disk } = await watched();
    await disk.write(Buffer.from("last words"), 50_000n);
    await disk.close();
    expect(Buffer.from(below.stable.subarray(50_000, 50_010)).toString()).toBe("last words");
  });

  test("each client sees what others wrote, and its flush is theirs", async () => {
    const below = ram(numbers);
    const plugin = pipe(below, cache({ blockSize: 4096 }));
    const [one, two, other] = [await opened(plugin, "a"), await opened(plugin, "a"), await opened(plugin, "b")];
    await one.write(Buffer.from("hello"), 10n);
    expect((await bytesOf(two, 10n, 5)).toString()).toBe("hello");
    expect(await bytesOf(other, 10n, 5)).toEqual(Buffer.from(numbers.subarray(10, 15)));
    await two.flush();
    expect(Buffer.from(below.stable.subarray(10, 15)).toString()).toBe("hello");
  });

  test("the cache outlives its clients, for those who come later", async () => {
    const calls: Call[] = [];
    const plugin = pipe(ram(numbers), recorded("below", calls), cache({ blockSize: 4096 }));
    const keeper = await opened(plugin, "other");
    const first = await openDisk(plugin);
    await first.cache(0n, 8192n);
    await first.close();
    const second = await opened(plugin);
    calls.length = 0;
    expect(await bytesOf(second, 0n, 8192)).toEqual(Buffer.from(numbers.subarray(0, 8192)));
    expect(calls).toEqual([]);
    await keeper.close();
  });

  test("a client that is gone is no reason to lose what it wrote", async () => {
    const below = ram(numbers);
    // As a remote disk does: once the client is gone, nothing works any more.
    const mindful = filter("mindful", (disk, { signal }) => ({
      write(source, offset, flags) {
        signal.throwIfAborted();
        return disk.write(source, offset, flags);
      },
    }));
    const controller = new AbortController();
    const disk = await openDisk(pipe(below, mindful, cache()), { signal: controller.signal });
    await disk.write(Buffer.from("remember"), 0n);
    controller.abort();
    await disk.close();
    expect(Buffer.from(below.stable.subarray(0, 8)).toString()).toBe("remember");
  });

  test("and the disk below gets to know that it is gone when there is nothing to write back", async () => {
    let below: AbortSignal | undefined;
    const witness = filter("witness", (_disk, { signal }) => {
      below = signal;
      return {};
    });
    const controller = new AbortController();
    const disk = await openDisk(pipe(ram(10), witness, cache()), { signal: controller.signal });
    controller.abort();
    expect(below?.aborted).toBe(true);
    await disk.close();
  });
});

describe("errors", () => {
  test("in writing back reach the client that flushes, and the next flush tries again", async () => {
    const below = ram(numbers);
    const disk = await opened(pipe(below, faulty(fail("write", { at: 4096n, times: 2, code: "ENOSPC" })), cache({ blockSize: 4096 })));
    await disk.write(block(1), 4096n);
    await disk.write(block(2), 40_960n);
    for (let i = 0; i < 2; i += 1) {
      await expect((async () => disk.flush())()).rejects.toMatchObject({ code: "ENOSPC" });
      expect(await bytesOf(disk, 4096n, 4096)).toEqual(block(1));
    }
    await disk.flush();
    expect(below.stable[4096]).toBe(1);
    expect(below.stable[40_960]).toBe(2);
  });

  test("in flushing the disk below make it write once more", async () => {
    const calls: Call[] = [];
    const disk = await opened(pipe(ram(numbers), faulty(fail("flush", { nth: 1 })), recorded("below", calls), cache({ blockSize: 4096 })));
    await disk.write(block(1), 4096n);
    calls.length = 0;
    await expect((async () => disk.flush())()).rejects.toMatchObject({ code: "EIO" });
    await disk.flush();
    expect(calls.map(String)).toEqual(["below: write 4096 at 4096", "below: flush", "below: write 4096 at 4096", "below: flush"]);
  });

  test("that last are told when it closes, with how much is lost", async () => {
    const disk = await openDisk(pipe(ram(numbers), faulty(fail("write")), cache({ blockSize: 4096 })));
    await disk.write(block(1), 98_304n - 4096n);
    await disk.write(numbers.subarray(98_304), 98_304n);
    await expect(disk.close()).rejects.toThrow("cache: 5792 bytes could not be written to the disk below, and are lost");
  });

  test("of a part of a block that cannot be read below change nothing", async () => {
    const disk = await opened(pipe(ram(numbers), faulty(fail("read", { nth: 1, code: "EPERM" })), cache({ blockSize: 4096 })));
    await expect(async () => disk.write(Buffer.from("x"), 10n)).rejects.toMatchObject({ code: "EPERM" });
    expect(await bytesOf(disk, 0n, 100)).toEqual(Buffer.from(numbers.subarray(0, 100)));
  });

  test("a temporary folder that is not there refuses the client", async () => {
    vi.stubEnv("TMPDIR", "/nowhere/at/all");
    await expect(openDisk(pipe(ram(10), cache()))).rejects.toThrow("cannot make a temporary file for the cache in /nowhere/at/all");
  });

  test("a disk that has been resized is refused", async () => {
    let size = 100_000;
    const plugin = pipe({ name: "growing", open: () => ({ size: BigInt(size), read: (target) => void target.fill(1) }) }, cache());
    await opened(plugin);
    size = 200_000;
    await expect(openDisk(plugin)).rejects.toThrow("the disk below cache had 100000 bytes and has 200000 now");
  });
});

describe("writing through", () => {
  test("each write reaches the disk below, and what is kept is as that is", async () => {
    const { disk, texts } = await watched({ mode: "writethrough" });
    await disk.write(Buffer.alloc(10_000, 1), 2000n);
    expect(texts()).toEqual(["write 10000 at 2000"]);
    // The one block that it covers whole was kept, the others were not.
    expect(await bytesOf(disk, 4096n, 4096)).toEqual(block(1));
    expect(texts()).toEqual([]);
    await bytesOf(disk, 2000n, 1);
    expect(texts()).toEqual(["read 1 at 2000"]);
    await disk.write(Buffer.from("x"), 5000n);
    expect((await bytesOf(disk, 4999n, 3)).toString("latin1")).toBe("\u0001x\u0001");
    expect(texts()).toEqual(["write 1 at 5000"]);
  });

  test("what fails below is not kept", async () => {
    const disk = await opened(pipe(ram(numbers), faulty(fail("write")), cache({ blockSize: 4096, mode: "writethrough" })));
    await expect(async () => disk.write(block(1), 0n)).rejects.toMatchObject({ code: "EIO" });
    expect(await bytesOf(disk, 0n, 4096)).toEqual(Buffer.from(numbers.subarray(0, 4096)));
  });
});

describe("unsafe", () => {
  test("flush and FUA do nothing until the last client goes", async () => {
    const { below, disk, texts } = await watched({ mode: "unsafe" });
    await disk.write(block(1), 0n, { fua: true });
    await disk.flush();
    expect(texts()).toEqual([]);
    await disk.close();
    expect(below.stable[0]).toBe(1);
  });
});

describe("zeroing and trimming", () => {
  test("go to the disk below, and what is kept follows", async () => {
    const { below, disk, texts } = await watched();
    await disk.write(Buffer.alloc(16_384, 1), 0n);
    await disk.zero(2000n, 8000n);
    expect(texts()).toEqual(["zero 8000 at 2000"]);
    const expected = Buffer.alloc(16_384, 1).fill(0, 2000, 10_000);
    expect(await bytesOf(disk, 0n, 16_384)).toEqual(expected);
    await disk.trim(12_000n, 4384n);
    expected.fill(0, 12_000);
    expect(await bytesOf(disk, 0n, 16_384)).toEqual(expected);
    await disk.flush();
    expect(Buffer.from(below.stable.subarray(0, 16_384))).toEqual(expected);
  });

  test("an 8 EiB disk is zeroed as quickly as any", async () => {
    const disk = await opened(pipe(memory(2n ** 63n - 1n), cache({ onRead: true })));
    await disk.write(Buffer.from("x"), 2n ** 62n);
    await disk.write(Buffer.from("x"), 2n ** 63n - 2n);
    await disk.zero(1n, 2n ** 63n - 2n);
    expect(await bytesOf(disk, 2n ** 62n, 1)).toEqual(Buffer.alloc(1));
    expect(await bytesOf(disk, 2n ** 63n - 2n, 1)).toEqual(Buffer.alloc(1));
  });
});

describe("extents", () => {
  test("what is not below yet is data, the rest is as below", async () => {
    const disk = await opened(pipe(ram(65_536), cache({ blockSize: 4096 })));
    await disk.write(block(1), 8192n);
    await disk.cache(40_960n, 4096n);
    const map = (await disk.extents(0n, 65_536n)).map(({ offset, length, hole }) => [offset, length, hole]);
    expect(map).toEqual([
      [0n, 8192n, true],
      [8192n, 4096n, false],
      [12_288n, 53_248n, true],
    ]);
  });
});

describe("what is kept", () => {
  test("reads are not, unless they are to be", async () => {
    const without = await watched();
    for (let i = 0; i < 2; i += 1) await bytesOf(without.disk, 5000n, 10);
    expect(without.texts()).toEqual(["read 10 at 5000", "read 10 at 5000"]);
    const withReads = await watched({ onRead: true });
    for (let i = 0; i < 2; i += 1) expect(await bytesOf(withReads.disk, 5000n, 10)).toEqual(Buffer.from(numbers.subarray(5000, 5010)));
    expect(withReads.texts()).toEqual(["read 4096 at 4096"]);
  });

  test("a file says whether reads are", async () => {
    const path = join(tree(), "on");
    const { disk, texts } = await watched({ onRead: path });
    await bytesOf(disk, 0n, 10);
    writeFileSync(path, "");
    await bytesOf(disk, 0n, 10);
    await bytesOf(disk, 0n, 10);
    expect(texts()).toEqual(["read 10 at 0", "read 4096 at 0"]);
  });

  test("what clients ask to have near is, and two that ask at once read it once", async () => {
    const { disk, texts } = await watched();
    await Promise.all([disk.cache(0n, 20_000n), disk.cache(0n, 20_000n)]);
    await bytesOf(disk, 100n, 19_000);
    expect(texts()).toEqual(["read 20480 at 0"]);
  });

  test("over a disk that answers at once it answers at once", async () => {
    const { disk } = await watched({ onRead: true }, ram(100_000));
    expect(disk.write(block(1), 4096n)).toBeUndefined();
    expect(disk.write(Buffer.from("x"), 50_000n)).toBeUndefined();
    expect(disk.read(block(1), 4096n)).toBeUndefined();
  });

  test("what is not kept is lent by the disk below", async () => {
    const disk = await opened(pipe(ram(numbers), cache({ blockSize: 4096 })));
    expect(Buffer.concat(disk.views?.(5000n, 10) ?? [])).toEqual(Buffer.from(numbers.subarray(5000, 5010)));
    await disk.write(block(1), 8192n);
    expect(disk.views?.(8191n, 2)).toBeUndefined();
  });
});

describe("a cache of limited size", () => {
  test("forgets what was not used for longest", async () => {
    const { disk, texts } = await watched({ maxSize: 40_960, onRead: true });
    for (let i = 0; i < 9; i += 1) await bytesOf(disk, BigInt(i * 4096), 1);
    await bytesOf(disk, 0n, 1);
    texts();
    // The tenth is more than 95 per cent: down to 80.
    await bytesOf(disk, 81_920n, 1);
    await bytesOf(disk, 0n, 1);
    expect(texts()).toEqual(["read 4096 at 81920"]);
    await bytesOf(disk, 4096n, 1);
    expect(texts()).toEqual(["read 4096 at 4096"]);
  });

  test("writes dirty blocks back before it forgets them, and answers when that is done", async () => {
    const { below, disk, texts } = await watched({ maxSize: 40_960 });
    for (let i = 0; i < 20; i += 1) await disk.write(block(i + 1), BigInt(i * 4096));
    expect(texts().filter((text) => text.startsWith("write")).length).toBeGreaterThan(0);
    for (let i = 0; i < 20; i += 1) expect(await bytesOf(disk, BigInt(i * 4096), 4096)).toEqual(block(i + 1));
    await disk.flush();
    for (let i = 0; i < 20; i += 1) expect(below.stable[i * 4096]).toBe(i + 1);
  });

  test("a write larger than the cache goes through", async () => {
    const { disk, texts } = await watched({ maxSize: 8192 });
    await disk.write(Buffer.alloc(40_960, 1), 0n);
    expect(texts()).toEqual(["write 40960 at 0"]);
    expect(await bytesOf(disk, 0n, 40_960)).toEqual(Buffer.alloc(40_960, 1));
  });

  test("what cannot be written back is an error of the write that found no room, and stays", async () => {
    const broken = fail("write", { times: 3 });
    const disk = await opened(pipe(ram(numbers), faulty(broken), cache({ blockSize: 4096, maxSize: 16_384 })));
    let failed = 0;
    for (let i = 0; i < 6; i += 1) {
      try {
        await disk.write(block(i + 1), BigInt(i * 4096));
      } catch {
        failed += 1;
      }
    }
    expect(failed).toBe(3);
    for (let i = 0; i < 3; i += 1) expect(await bytesOf(disk, BigInt(i * 4096), 4096)).toEqual(block(i + 1));
  });

  test("no more than so much waits to be written back", async () => {
    const { disk, texts } = await watched({ maxDirty: 16_384 });
    for (let i = 0; i < 12; i += 1) await disk.write(block(i + 1), BigInt(i * 4096));
    const written = texts().filter((text) => text.startsWith("write"));
    expect(written).toEqual(["write 8192 at 0", "write 8192 at 8192", "write 8192 at 16384", "write 8192 at 24576"]);
  });

  test("a full temporary folder makes it write through", async () => {
    const { TemporaryFile } = await import("../../src/common/temporary-file.ts");
    const { DiskError } = await import("../../src/index.ts");
    const full = vi.spyOn(TemporaryFile.prototype, "write").mockImplementation(() => {
      throw new DiskError("ENOSPC", "full");
    });
    onTestFinished(() => full.mockRestore());
    const { below, disk } = await watched({ onRead: true });
    await disk.write(Buffer.from("hello"), 100n);
    await disk.write(block(1), 8192n);
    await disk.cache(0n, 100n);
    expect((await bytesOf(disk, 100n, 5)).toString()).toBe("hello");
    expect(below.bytes[8192]).toBe(1);
  });
});

test("a write into a block that is being written back waits, and is not lost", async () => {
  const held = hold("write");
  const below = ram(numbers);
  const disk = await opened(pipe(below, faulty(held), cache({ blockSize: 4096 })));
  await disk.write(block(1), 0n);
  const flushing = disk.flush();
  await held.arrived;
  const writing = disk.write(Buffer.from("new"), 0n);
  expect(await bytesOf(disk, 0n, 3)).toEqual(Buffer.from([1, 1, 1]));
  held.release();
  await Promise.all([flushing, writing]);
  expect(below.stable[0]).toBe(1);
  await disk.flush();
  expect(Buffer.from(below.stable.subarray(0, 4)).toString("latin1")).toBe("new\u0001");
});

test.each([
  [{ mode: "sometimes" }, 'mode of cache "sometimes": expected writeback, writethrough, unsafe'],
  [{ blockSize: 5000 }, "blockSize of cache 5000: expected a power of two from 4096"],
  [{ maxSize: 1000 }, "maxSize of cache 1000: expected at least one block (65536 bytes)"],
  [{ maxDirty: 0 }, "maxDirty of cache 0: expected at least one block"],
  [{ highThreshold: 0.5 }, "highThreshold of cache 0.5: expected a whole number"],
  [{ lowThreshold: 0 }, "lowThreshold of cache 0: expected a whole number"],
  [{ lowThreshold: 96 }, "lowThreshold of cache 96: expected less than highThreshold (95)"],
  [{ onRead: "here" }, 'onRead of cache "here": expected true, false or the absolute path'],
])("%j is refused", (options, text) => {
  expect(() => cache(options as never)).toThrow(text);
});
