// The blocksize filter: what clients ask for, and what reaches a disk that takes whole blocks only.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BlocksizeOptions, Filter, Plugin } from "../../src/index.ts";
import { blocksize, DiskError, filter, memory, openDisk, pipe } from "../../src/index.ts";
import { allSorts } from "../../src/testing/filter-model.ts";
import { type Call, fail, faulty, hold, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { batches, jitter, perform } from "../fixtures/byte-model.ts";
import { bytesOf, numbers, opened } from "../fixtures/opened.ts";
import { command, expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

/** A disk that refuses what is not whole blocks, or too long. */
function coarse(minimum: number, maximum = 0xffffffff, longest = 2n ** 63n): Filter {
  const check = (offset: bigint, length: bigint | number, most: bigint | number): void => {
    if (offset % BigInt(minimum) !== 0n || BigInt(length) % BigInt(minimum) !== 0n || length > most)
      throw new DiskError("EINVAL", `${length} at ${offset} does not fit`);
  };
  return filter("coarse", (disk) => ({
    read(target, offset) {
      check(offset, target.length, maximum);
      return disk.read(target, offset);
    },
    write(source, offset, flags) {
      check(offset, source.length, maximum);
      return disk.write(source, offset, flags);
    },
    trim(offset, length, flags) {
      check(offset, length, longest);
      return disk.trim(offset, length, flags);
    },
    zero(offset, length, flags) {
      check(offset, length, longest);
      return disk.zero(offset, length, flags);
    },
    extents(offset, length, flags) {
      check(offset, length, longest);
      return disk.extents(offset, length, flags);
    },
    cache(offset, length) {
      check(offset, length, longest);
      return disk.cache(offset, length);
    },
    traits: { trimZeroes: true },
  }));
}

/** A disk with what reaches it. */
async function watched(options: BlocksizeOptions, below: Plugin = ram(numbers)) {
  const calls: Call[] = [];
  const disk = await opened(pipe(below, recorded("below", calls), blocksize(options)));
  const texts = (): string[] => calls.splice(0).map((call) => String(call).replace("below: ", ""));
  texts();
  return { disk, texts };
}

describe("contract, with nothing to do", () => {
  testFilter({ test, filter: () => blocksize(), transparent: true });
});

describe("contract, over a disk of 4 KiB blocks", () => {
  testFilter({
    test,
    filter: () => {
      const [below, above] = [coarse(4096, 16_384, 32_768n), blocksize({ minblock: "4k", maxdata: "16k", maxlen: "32k" })];
      return (next) => above(below(next));
    },
    model: (below) => below.subarray(0, below.length - (below.length % 4096)),
  });
});

describe("reading", () => {
  test("what is whole blocks is passed on as it is, and lent", async () => {
    const { disk, texts } = await watched({ minblock: 512 });
    expect(disk.read(Buffer.alloc(1024), 512n)).toBeUndefined();
    expect(texts()).toEqual(["read 1024 at 512"]);
    const lending = await opened(pipe(ram(numbers), blocksize({ minblock: 512 })));
    expect(Buffer.concat(lending.views?.(512n, 512) ?? [])).toEqual(Buffer.from(numbers.subarray(512, 1024)));
    expect(lending.views?.(511n, 512)).toBeUndefined();
  });

  test("a short range is read with its blocks' rest, in one request", async () => {
    const { disk, texts } = await watched({ minblock: 512 });
    expect(await bytesOf(disk, 1000n, 2000)).toEqual(Buffer.from(numbers.subarray(1000, 3000)));
    expect(texts()).toEqual(["read 2560 at 512"]);
  });

  test("a long one in pieces, of which only the ends are more than asked for", async () => {
    const { disk, texts } = await watched({ minblock: 4096, maxdata: 32_768 });
    expect(await bytesOf(disk, 1000n, 80_000)).toEqual(Buffer.from(numbers.subarray(1000, 81_000)));
    expect(texts()).toEqual(["read 4096 at 0", "read 32768 at 4096", "read 32768 at 36864", "read 8192 at 69632", "read 4096 at 77824"]);
  });
});

describe("writing", () => {
  test("a part of a block is read, changed and written", async () => {
    const { disk, texts } = await watched({ minblock: 4096 });
    await disk.write(Buffer.from("hello"), 5000n, { fua: true });
    expect(texts()).toEqual(["read 4096 at 4096", "write 4096 at 4096, fua"]);
    const expected = Buffer.from(numbers.subarray(4990, 5010));
    expected.write("hello", 10);
    expect(await bytesOf(disk, 4990n, 20)).toEqual(expected);
  });

  test("of several blocks the first and last are read, and all are written at once", async () => {
    const { disk, texts } = await watched({ minblock: 4096 });
    await disk.write(Buffer.alloc(12_000, 1), 5000n);
    expect(texts()).toEqual(["read 4096 at 4096", "read 4096 at 16384", "write 16384 at 4096"]);
    await disk.write(Buffer.alloc(5000, 1), 4096n);
    expect(texts()).toEqual(["read 4096 at 8192", "write 8192 at 4096"]);
  });

  test("what is longer than the disk takes goes in pieces", async () => {
    const { disk, texts } = await watched({ minblock: 512, maxdata: 4096 });
    await disk.write(Buffer.alloc(9000, 2), 1000n);
    expect(texts()).toEqual([
      "read 512 at 512",
      "write 512 at 512",
      "write 4096 at 1024",
      "write 4096 at 5120",
      "write 512 at 9216",
      "read 512 at 9728",
      "write 512 at 9728",
    ]);
    expect(await bytesOf(disk, 999n, 9002)).toEqual(
      Buffer.concat([numbers.subarray(999, 1000), Buffer.alloc(9000, 2), numbers.subarray(10_000, 10_001)]),
    );
  });

  test("two parts of one block that are written at once are both there, from whichever client", async () => {
    const held = hold("read");
    const plugin = pipe(ram(numbers), faulty(held), blocksize({ minblock: 4096 }));
    const [one, two] = [await opened(plugin), await opened(plugin)];
    const writes = [one.write(Buffer.from("one"), 10n), two.write(Buffer.from("two"), 20n), two.write(Buffer.alloc(4096, 1), 0n)];
    await held.arrived;
    held.release();
    await Promise.all(writes);
    expect(await bytesOf(one, 0n, 4096)).toEqual(Buffer.alloc(4096, 1));
    await Promise.all([one.write(Buffer.from("one"), 10n), two.write(Buffer.from("two"), 20n)]);
    expect((await bytesOf(one, 9n, 15)).toString("latin1")).toBe("\u0001one\u0001\u0001\u0001\u0001\u0001\u0001\u0001two\u0001");
  });
});

describe("zeroing and trimming", () => {
  test("zeroing writes the parts of blocks and zeroes the rest, with its flags", async () => {
    const { disk, texts } = await watched({ minblock: 4096, maxlen: 8192 });
    await disk.zero(4000n, 20_000n, { fua: true, noHole: true, fastZero: false });
    expect(texts()).toEqual([
      "read 4096 at 0",
      "write 4096 at 0, fua",
      "zero 8192 at 4096, fua, noHole",
      "zero 8192 at 12288, fua, noHole",
      "read 4096 at 20480",
      "write 4096 at 20480, fua",
    ]);
    expect(await bytesOf(disk, 3999n, 20_002)).toEqual(
      Buffer.concat([numbers.subarray(3999, 4000), Buffer.alloc(20_000), numbers.subarray(24_000, 24_001)]),
    );
  });

  test("zeroing that is to be fast does whole blocks only", async () => {
    const { disk } = await watched({ minblock: 4096 });
    const fast = { fua: false, noHole: false, fastZero: true };
    await disk.zero(4096n, 8192n, fast);
    await expect(async () => disk.zero(4096n, 8000n, fast)).rejects.toMatchObject({ code: "ENOTSUP" });
  });

  test("trimming leaves the parts of blocks", async () => {
    const { disk, texts } = await watched({ minblock: 4096, maxlen: 4096 });
    await disk.trim(4000n, 10_000n);
    expect(texts()).toEqual(["trim 4096 at 4096", "trim 4096 at 8192"]);
    await disk.trim(4097n, 4000n);
    expect(texts()).toEqual([]);
    expect(disk.capabilities.trimZeroes).toBe(false);
  });
});

describe("extents and caching", () => {
  test("are asked for in whole blocks, and shown as they were asked for", async () => {
    const { disk, texts } = await watched({ minblock: 4096, maxlen: 8192 }, ram(65_536));
    expect(await disk.extents(5000n, 100n, { reqOne: true })).toEqual([{ offset: 5000n, length: 100n, hole: true, zero: true }]);
    expect(texts()).toEqual(["extents 4096 at 4096"]);
    // The rest is for the next question.
    expect(await disk.extents(5000n, 50_000n)).toEqual([{ offset: 5000n, length: 7288n, hole: true, zero: true }]);
    texts();
    await disk.cache(5000n, 10_000n);
    expect(texts()).toEqual(["cache 8192 at 4096", "cache 4096 at 12288"]);
  });
});

describe("sizes", () => {
  test("the disk's is rounded down to whole blocks", async () => {
    const { disk } = await watched({ minblock: 4096 });
    expect(disk.size).toBe(98_304n);
    expect(disk.blockSize).toEqual({ minimum: 1, preferred: 4096, maximum: 0xffffffff });
    await expect(async () => bytesOf(disk, 98_300n, 5)).rejects.toMatchObject({ code: "EINVAL" });
  });

  test("those of the disk below hold where nothing else is said", async () => {
    const says = filter("says", () => ({ blockSize: { minimum: 512, preferred: 8192, maximum: 16_384 } }));
    const { disk, texts } = await watched({}, pipe(ram(numbers), says));
    expect(disk.blockSize).toEqual({ minimum: 1, preferred: 8192, maximum: 0xffffffff });
    await bytesOf(disk, 0n, 40_000);
    expect(texts()).toEqual(["read 16384 at 0", "read 16384 at 16384", "read 7168 at 32768", "read 512 at 39936"]);
    await expect(openDisk(pipe(ram(numbers), says, blocksize({ maxdata: 1000 })))).rejects.toThrow(
      "maxdata of blocksize 1000: expected a multiple of the smallest block of the disk below (512)",
    );
  });

  test("the largest disk there is has a last block", async () => {
    const disk = await opened(pipe(memory(2n ** 63n - 1n), coarse(4096), blocksize({ minblock: 4096 })));
    expect(disk.size).toBe(2n ** 63n - 4096n);
    await disk.write(Buffer.from("end"), disk.size - 3n);
    await disk.zero(1n, disk.size - 2n);
    expect(await bytesOf(disk, disk.size - 3n, 3)).toEqual(Buffer.from("\0\0d"));
    expect((await disk.extents(1n, disk.size - 1n)).length).toBeGreaterThan(0);
  });

  test("a long range in small pieces ends when its client goes", async () => {
    const controller = new AbortController();
    const disk = await openDisk(pipe(memory(2n ** 62n), blocksize({ maxlen: 4096 })), { signal: controller.signal });
    const zeroing = (async () => disk.zero(0n, 2n ** 62n))();
    controller.abort(new Error("gone"));
    await expect(zeroing).rejects.toThrow("gone");
    await disk.close();
  });
});

describe("errors", () => {
  test("of one piece are the answer, once the others have settled", async () => {
    const disk = await opened(
      pipe(ram(numbers), jitter(1), faulty(fail("read", { at: 50_000n, code: "EPERM" })), blocksize({ maxdata: 4096 })),
    );
    await expect(async () => bytesOf(disk, 0n, 100_000)).rejects.toMatchObject({ code: "EPERM" });
    expect(await bytesOf(disk, 0n, 40_000)).toEqual(Buffer.from(numbers.subarray(0, 40_000)));
  });

  test("in reading the rest of a block keep it from being written", async () => {
    const below = ram(numbers);
    const disk = await opened(pipe(below, faulty(fail("read", { at: 0n })), blocksize({ minblock: 4096 })));
    await expect(async () => disk.write(Buffer.from("x"), 10n)).rejects.toMatchObject({ code: "EIO" });
    expect(Buffer.compare(below.bytes, numbers)).toBe(0);
  });

  test.each([
    [{ minblock: 1000 }, "minblock of blocksize 1000: expected a power of two"],
    [{ minblock: "128k" }, "minblock of blocksize 131072: expected a power of two"],
    [{ minblock: 0 }, "minblock of blocksize 0: expected at least 1"],
    [{ minblock: 512, maxdata: 1000 }, "maxdata of blocksize 1000: expected a multiple of minblock (512)"],
    [{ minblock: 512, maxlen: 1000 }, "maxlen of blocksize 1000: expected a multiple of minblock (512)"],
    [{ maxdata: "lots" }, "maxdata of blocksize"],
  ])("%j is refused", (options, text) => {
    expect(() => blocksize(options)).toThrow(text);
  });
});

test.each([
  [512, 512, 512n],
  [4096, 8192, 4096n],
  [4096, 0xffffffff, 2n ** 63n],
])(
  "random requests of several clients over blocks of %i, %i and %i at once, agree with a model",
  async (minblock, maxdata, maxlen) => {
    const size = 49_152;
    const content = allSorts(size);
    await fc.assert(
      fc.asyncProperty(batches(size, 2, 20_000, ["read", "write", "zero", "noHole", "cache", "flush"]), fc.nat(), async (list, seed) => {
        const below = ram(content);
        const limits = maxdata === 0xffffffff ? { minblock } : { minblock, maxdata, maxlen };
        const plugin = pipe(below, jitter(seed), coarse(minblock, maxdata, maxlen), blocksize(limits));
        const disks = [await openDisk(plugin), await openDisk(plugin)];
        const model = content.slice();
        for (const steps of list) await perform(disks, steps, model);
        for (const disk of disks) await disk.close();
        expect(Buffer.compare(below.bytes, model)).toBe(0);
      }),
      { numRuns: 20 },
    );
  },
  60_000,
);

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "side by side with nbdkit", () => {
  test.each([[["minblock=512"]], [["minblock=4k", "maxdata=16k", "maxlen=32k"]], [["minblock=64k"]], [[]]])("%j", async (keys) => {
    await expectSame(["--filter=blocksize", "memory", "1000001", ...keys]);
  });

  test("what makes no sense is refused by both", async () => {
    await expectBothRefuse(["--filter=blocksize", "memory", "1M", "minblock=1000"]);
    await expectBothRefuse(["--filter=blocksize", "memory", "1M", "minblock=128k"]);
    await expectBothRefuse(["--filter=blocksize", "memory", "1M", "minblock=512", "maxdata=1000"]);
    await expectBothRefuse(["--filter=blocksize", "memory", "1M", "minblock=512", "maxlen=1000"]);
  });
});

describeWith(["nbdkit", "qemu-io"], "qemu-io", () => {
  test("writes and reads at odd places", async () => {
    const io =
      "-c 'write -P 1 511 3' -c 'write -z 100k 70001' -c 'write -P 2 130k 1M' -c 'read -P 1 511 3' -c 'read -P 0 100k 30k' -c 'read -P 2 130k 1M'";
    const { code, stderr } = await command("diskwright", [
      "-U",
      "-",
      "--filter=blocksize",
      "memory",
      "4M",
      "minblock=4k",
      "maxdata=64k",
      "--run",
      `qemu-io -f raw ${io} "$uri" | grep -c "ops" | grep -qx 6`,
    ]);
    expect(code, stderr).toBe(0);
  });
});
