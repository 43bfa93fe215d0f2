// The sparse-random plugin.

import { describe, expect, it, test } from "vitest";
import { type Extent, openDisk, type Plugin, pipe, readonly, type SparseRandomOptions, sparseRandom } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { Random } from "../../src/testing/random.ts";
import { command, expectBothRefuse, expectSameOffer } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

async function mapOf(plugin: Plugin): Promise<Extent[]> {
  await using disk = await openDisk(plugin);
  const map: Extent[] = [];
  for (let at = 0n; at < disk.size; ) {
    for (const extent of await disk.extents(at, disk.size - at)) {
      map.push(extent);
      at = extent.offset + extent.length;
    }
  }
  return map;
}

function bytesOf(map: readonly Extent[], hole: boolean): number {
  return map.reduce((sum, extent) => sum + (extent.hole === hole ? Number(extent.length) : 0), 0);
}

const small: SparseRandomOptions = { seed: 1, percent: 40, runLength: "20k" };

describe("sparseRandom", () => {
  describe.each([
    ["blocks of one byte", small],
    ["random content", { ...small, randomContent: true }],
    ["nothing but data", { seed: 1, percent: 100 }],
    ["nothing but a hole", { seed: 1, percent: 0 }],
  ] as const)("with %s", (_, options) => {
    // Only writes that change nothing succeed: the suite reads.
    testPlugin({
      test,
      factory: () => pipe(sparseRandom(1_000_001, options), readonly()),
      routes: ["directly", "over a socket"],
      expect: { write: false, extents: true, multiConn: true },
    });
  });

  it("reads as it says in its extents, in any pieces", async () => {
    for (const randomContent of [false, true]) {
      await using disk = await openDisk(sparseRandom(1_000_001, { ...small, randomContent }));
      const whole = Buffer.alloc(1_000_001);
      await disk.read(whole, 0n);
      for (const { offset, length, hole } of await disk.extents(0n, disk.size)) {
        const part = whole.subarray(Number(offset), Number(offset + length));
        if (hole) expect(part.every((byte) => byte === 0)).toBe(true);
        else for (let at = 0; at < part.length; at += 4096) expect(part.subarray(at, at + 4096).some((byte) => byte !== 0)).toBe(true);
      }
      const draw = new Random(3);
      for (let i = 0; i < 300; i += 1) {
        const start = draw.below(1_000_000);
        const length = 1 + draw.below(Math.min(70_000, 1_000_000 - start));
        const target = Buffer.alloc(length, "?");
        await disk.read(target, BigInt(start));
        expect(target.equals(whole.subarray(start, start + length)), `${length} at ${start}`).toBe(true);
        await disk.write(target, BigInt(start));
      }
    }
  });

  it.each([
    [1, "1M", "200G"],
    [10, "16M", "200G"],
    [50, "1M", "50G"],
    [75, "1M", "50G"],
    [99, "64k", "1G"],
    [30, 4096, "1G"],
    [90, 4096, "1G"],
    [100, "1M", "1G"],
    [0, "1M", "1G"],
  ])("has %i percent of data in runs of %s on a disk of %s, about", async (percent, runLength, size) => {
    const map = await mapOf(sparseRandom(size, { seed: 4, percent, runLength }));
    const data = bytesOf(map, false);
    const all = data + bytesOf(map, true);
    expect((100 * data) / all).toBeGreaterThanOrEqual(percent * 0.93);
    expect((100 * data) / all).toBeLessThanOrEqual(percent * 1.07);
    const runs = map.filter(({ hole }) => !hole).length;
    if (percent > 0 && percent <= 10) {
      const wanted = typeof runLength === "number" ? runLength : Number.parseInt(runLength, 10) * MiB;
      expect(data / runs / wanted).toBeGreaterThan(0.85);
      expect(data / runs / wanted).toBeLessThan(1.25);
    }
  });

  it("is the same disk for the same seed, in every process", async () => {
    const map = await mapOf(sparseRandom("1G", { seed: 1 }));
    expect(map.slice(0, 2).map(({ offset, length, hole }) => [Number(offset), Number(length), hole])).toEqual([
      [0, 19628032, true],
      [19628032, 10452992, false],
    ]);
    await using disk = await openDisk(sparseRandom(65_536, { seed: 1, percent: 100 }));
    const target = Buffer.alloc(4);
    await disk.read(target, 32_766n);
    expect(target.toString("hex")).toBe("0909e1e1");
  });

  it("is another disk for another seed, and for none", async () => {
    const maps = new Set<string>();
    for (const seed of [0, 1, 2, 2 ** 32, undefined, undefined]) {
      const map = await mapOf(sparseRandom("1G", seed === undefined ? {} : { seed }));
      maps.add(map.map(({ offset }) => offset).join());
    }
    expect(maps.size).toBe(6);
  });

  it("may be as large as can be", async () => {
    const size = 2n ** 63n - 1n;
    await using disk = await openDisk(sparseRandom(size, { seed: 1, percent: 30 }));
    const last = disk.size - 1_000_000_000n;
    const list = await disk.extents(last, 1_000_000_000n);
    expect(list.at(0)?.offset).toBe(last);
    expect(list.length).toBeGreaterThan(1);
    const target = Buffer.alloc(100_000);
    for (const { offset, length } of list) {
      const bytes = target.subarray(0, Number(length < 100_000n ? length : 100_000n));
      await disk.read(bytes, offset);
      await disk.write(bytes, offset);
    }
  });

  it("takes what it holds, and nothing else", async () => {
    for (const randomContent of [false, true]) {
      await using disk = await openDisk(sparseRandom("1M", { ...small, randomContent }));
      const whole = Buffer.alloc(MiB);
      await disk.read(whole, 0n);
      await disk.write(whole, 0n);
      await disk.write(whole.subarray(5, 100_000), 5n);
      for (const at of [0, 4095, 4096, 70_001, MiB - 1]) {
        whole.writeUInt8(whole.readUInt8(at) ^ 4, at);
        expect(() => disk.write(whole, 0n)).toThrow(
          expect.objectContaining({ code: "EIO", offset: BigInt(at), message: "what is written is not what is there" }),
        );
        whole.writeUInt8(whole.readUInt8(at) ^ 4, at);
      }
    }
  });

  it("takes zeroes where its holes are, and nowhere else", async () => {
    await using disk = await openDisk(sparseRandom("1M", small));
    for (const { offset, length, hole } of await disk.extents(0n, disk.size)) {
      for (const zero of [() => disk.zero(offset, length), () => disk.trim(offset, length)]) {
        if (hole) expect(zero()).toBeUndefined();
        else expect(zero).toThrow(expect.objectContaining({ code: "EIO", offset, message: "what is to be zeroed is not zero" }));
      }
    }
    expect(() => disk.zero(0n, disk.size)).toThrow("what is to be zeroed is not zero");
  });

  it("refuses what makes no sense", () => {
    expect(() => sparseRandom("x")).toThrow('size "x"');
    expect(() => sparseRandom(1, { percent: 101 })).toThrow("percent 101: expected 0 to 100");
    expect(() => sparseRandom(1, { percent: Number.NaN })).toThrow("percent NaN");
    expect(() => sparseRandom(1, { runLength: 0 })).toThrow("runLength 0: expected a number of bytes from 1 on");
    expect(() => sparseRandom(1, { seed: -1 })).toThrow("seed -1");
  });
});

describeWith(["nbdcopy"], "a sparse random disk", () => {
  it.each([["false"], ["true"]])("is copied onto itself by nbdcopy, random-content=%s", async (content) => {
    const line = ["-U", "-", "sparse-random", "10G", "seed=3", "percent=1", "runlength=2M", `random-content=${content}`];
    const { code, stderr } = await command("diskwright", [...line, "--run", 'nbdcopy "$uri" "$uri"']);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });
});

describeWith(["nbdkit", "nbdinfo"], "sparse-random and nbdkit's", () => {
  it("offer the same", async () => {
    await expectSameOffer(["sparse-random", "1M"]);
  });

  it("refuse the same", async () => {
    for (const keys of [["percent=101"], ["percent=-1"], ["runlength=0"], ["seed=-1"]])
      await expectBothRefuse(["sparse-random", "1M", ...keys]);
  });
});
