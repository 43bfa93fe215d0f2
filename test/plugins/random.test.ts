// The random plugin.

import { describe, expect, it, test } from "vitest";
import { openDisk, type Plugin, pipe, random, readonly } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { command, expectSameOffer } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

async function read(plugin: Plugin, offset: bigint, length: number): Promise<Buffer> {
  await using disk = await openDisk(plugin);
  const target = Buffer.alloc(length);
  await disk.read(target, offset);
  return target;
}

describe("random", () => {
  // Only writes that change nothing succeed: the suite reads.
  testPlugin({ test, factory: () => pipe(random("1M", { seed: 1 }), readonly()), expect: { write: false, multiConn: true } });

  it("is the same disk for the same seed, in every process", async () => {
    expect((await read(random("1M", { seed: 1 }), 0n, 16)).toString("hex")).toBe("1a0d94bb42225ff5dd27ead0c4ffc7d1");
    expect((await read(random(2n ** 63n - 1n, { seed: 2 ** 53 - 1 }), 2n ** 62n, 8)).toString("hex")).toBe("a2444a161b2f10e1");
  });

  it("is another disk for another seed, and for none", async () => {
    const heads = new Set<string>();
    for (const seed of [0, 1, 2, 2 ** 32, 2 ** 33, undefined, undefined]) {
      heads.add((await read(random("1M", seed === undefined ? {} : { seed }), 0n, 64)).toString("hex"));
    }
    expect(heads.size).toBe(7);
  });

  it("reads the same in any pieces", async () => {
    const whole = await read(random(100_001, { seed: 5 }), 0n, 100_001);
    for (const [start, length] of [
      [0, 1],
      [4095, 2],
      [4096, 4096],
      [1, 100_000],
      [99_999, 2],
    ] as const) {
      expect((await read(random(100_001, { seed: 5 }), BigInt(start), length)).equals(whole.subarray(start, start + length))).toBe(true);
    }
  });

  it("has every byte about as often, no block twice, and does not pack", async () => {
    const bytes = await read(random("1M", { seed: 9 }), 0n, 1024 * 1024);
    const counts = new Uint32Array(256);
    for (const byte of bytes) counts[byte] = (counts[byte] as number) + 1;
    // 4096 each are expected, give or take 64.
    for (const count of counts) expect(Math.abs(count - 4096)).toBeLessThan(400);
    const blocks = new Set(Array.from({ length: 256 }, (_, i) => bytes.toString("latin1", i * 4096, i * 4096 + 64)));
    expect(blocks.size).toBe(256);
    const { gzipSync } = await import("node:zlib");
    expect(gzipSync(bytes).length).toBeGreaterThan(1024 * 1024);
  });

  it("takes what it holds, and nothing else", async () => {
    await using disk = await openDisk(random("1M", { seed: 1 }));
    const bytes = Buffer.alloc(10_000);
    await disk.read(bytes, 4000n);
    await disk.write(bytes, 4000n);
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
    expect(() => disk.write(bytes, 4000n)).toThrow(
      expect.objectContaining({ code: "EIO", offset: 9000n, message: "what is written is not what is there" }),
    );
    expect(() => disk.zero(4096n, 4096n)).toThrow(expect.objectContaining({ code: "EIO", offset: 4096n }));
    expect(() => disk.trim(4096n, 4096n)).toThrow("what is to be zeroed is not zero: a random disk has no holes");
  });

  it("refuses what is no size, and no seed", () => {
    expect(() => random("x")).toThrow('size "x"');
    expect(() => random(1, { seed: -1 })).toThrow("seed -1: expected a whole number from 0 to 2^53-1");
    expect(() => random(1, { seed: 1.5 })).toThrow("seed 1.5");
  });
});

describeWith(["nbdcopy"], "a random disk", () => {
  it("is copied onto itself by nbdcopy", async () => {
    const { code, stderr } = await command("diskwright", ["-U", "-", "random", "20000001", "seed=7", "--run", 'nbdcopy "$uri" "$uri"']);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });
});

describeWith(["nbdkit", "nbdinfo"], "random and nbdkit's", () => {
  it("offer the same", async () => {
    await expectSameOffer(["random", "1M"]);
  });
});
