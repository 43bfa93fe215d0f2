// The gzip filter as its users see it, and on files of every sort.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type Disk, data, filter, type GzipOptions, gzip, openDisk, type Plugin, pipe } from "../../../src/index.ts";
import { type Call, fail, faulty, hold, recorded, testFilter } from "../../../src/testing/index.ts";
import { thrownBy } from "../../contract/fixtures.ts";
import { noise, random } from "../../fixtures/bytes.ts";
import { run } from "../../fixtures/run.ts";
import { expectSame } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { tree } from "../../fixtures/tree.ts";
import { member, mixture, packings } from "./files.ts";

async function readAt(disk: Disk, offset: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  await disk.read(target, BigInt(offset));
  return target;
}

function unpacked(packed: Uint8Array, options?: GzipOptions): Promise<Disk> {
  return openDisk(pipe(data(packed), gzip(options)));
}

/** Expects the disk to read as `content`: as a whole, and in random places. */
async function expectContent(disk: Disk, content: Buffer, reads = 40): Promise<void> {
  expect(disk.size).toBe(BigInt(content.length));
  expect((await readAt(disk, 0, content.length)).equals(content)).toBe(true);
  const next = random(3);
  for (let i = 0; i < reads && content.length > 0; i++) {
    const offset = next() % content.length;
    const length = 1 + (next() % Math.min(content.length - offset, i % 2 === 0 ? 10_000 : 400_000));
    expect((await readAt(disk, offset, length)).equals(content.subarray(offset, offset + length)), `${length} at ${offset}`).toBe(true);
  }
}

describe("what is in a gzip file", () => {
  // Of many blocks, and several times as large as the smaller cache and index.
  const content = mixture(1_000_000);
  describe.each(Object.entries(packings(content)))("packed as %s", (_, packed) => {
    it("is read anywhere, from an index and a cache of any size", async () => {
      for (const options of [{}, { cache: 0, index: 0 }, { cache: "256k", index: "100k" }]) {
        await using disk = await unpacked(packed, options);
        await expectContent(disk, content, options.cache === 0 ? 12 : 40);
      }
    });
  });

  it("may be nothing", async () => {
    for (const packed of [gzipSync(""), gzipSync("", { level: 0 }), member(Buffer.alloc(0), { name: "" })]) {
      await using disk = await unpacked(packed);
      expect(disk.size).toBe(0n);
    }
  });

  it("is read-only, and the disk below is not opened for writing", async () => {
    const asked: boolean[] = [];
    const below: Plugin = {
      ...data(gzipSync("hello")),
    };
    const watched: Plugin = {
      name: "watched",
      start: (context) => below.start?.(context),
      open(request) {
        asked.push(request.readonly);
        return below.open(request);
      },
    };
    await using disk = await openDisk(pipe(watched, gzip()));
    expect(disk.capabilities).toMatchObject({ write: false, trim: false, zero: false, flush: false, multiConn: true });
    expect(asked).toEqual([true]);
  });

  it("is unpacked once for all clients, in large reads from front to back", async () => {
    const calls: Call[] = [];
    const packed = gzipSync(noise(5_000_000));
    const plugin = pipe(data(packed), recorded("below", calls), gzip());
    await using one = await openDisk(plugin);
    const reads = (): number => calls.filter(({ operation }) => operation === "read").length;
    expect(reads()).toBeLessThan(8);
    const before = reads();
    await using other = await openDisk(plugin);
    await readAt(other, 0, 0);
    expect(reads()).toBe(before);
    await readAt(one, 3_000_000, 10);
    const after = reads();
    expect(after).toBeGreaterThan(before);
    await readAt(other, 3_000_000, 10);
    expect(reads(), "what one has unpacked is there for the other").toBe(after);
  });

  it("answers at once what is kept", async () => {
    await using disk = await unpacked(gzipSync(mixture(500_000)));
    await readAt(disk, 0, 500_000);
    expect(disk.read(Buffer.alloc(100_000), 100_000n)).toBeUndefined();
  });

  it("is not unpacked again and again by reads that follow each other", async () => {
    const calls: Call[] = [];
    const content = noise(4_000_000);
    // Two checkpoints: most of the file is behind the last one.
    const plugin = pipe(data(gzipSync(content)), recorded("below", calls), gzip({ cache: 0, index: 0 }));
    await using disk = await openDisk(plugin);
    calls.length = 0;
    for (let at = 0; at < 4_000_000; at += 131_072) await readAt(disk, at, Math.min(131_072, 4_000_000 - at));
    expect(calls.length).toBeLessThan(40);
  });
});

describe("the index", () => {
  it("takes no more memory than it may, whatever is unpacked", async () => {
    const zeroes = gzipSync(Buffer.alloc(64 * 2 ** 20));
    const { makeIndex } = await import("../../../src/filters/gzip/checkpoints.ts");
    await using below = await openDisk(data(zeroes));
    const index = await makeIndex(below, 10 * 33 * 1024, new AbortController().signal);
    expect(index.size).toBe(64n * 2n ** 20n);
    expect(index.checkpoints.count).toBeLessThanOrEqual(11);
    expect(index.checkpoints.span).toBeGreaterThanOrEqual(8 * 2 ** 20);
    await using disk = await unpacked(zeroes, { index: "330k" });
    expect((await readAt(disk, 63 * 2 ** 20, 1000)).equals(Buffer.alloc(1000))).toBe(true);
  });

  it("has places inside blocks, however long those are", async () => {
    // One block with fixed codes: zlib ends it where its buffer of symbols is full, so 16384 matches of 258 bytes.
    const content = Buffer.alloc(4_000_000, "x");
    const { makeIndex } = await import("../../../src/filters/gzip/checkpoints.ts");
    const packed = gzipSync(content, { level: 9, memLevel: 9 });
    await using below = await openDisk(data(packed));
    const { checkpoints } = await makeIndex(below, 2 ** 24, new AbortController().signal);
    expect(checkpoints.before(3_900_000).block).toMatchObject({ kind: "codes" });
    await using disk = await unpacked(packed);
    await expectContent(disk, content);
  });

  it("is made anew by the next client when the one that waits for it goes", async () => {
    const gate = hold("read", { times: 1 });
    const plugin = pipe(data(gzipSync("hello")), faulty(gate), gzip());
    const controller = new AbortController();
    const first = openDisk(plugin, { signal: controller.signal });
    await gate.arrived;
    const second = openDisk(plugin);
    controller.abort(new Error("gone"));
    gate.release();
    await expect(first).rejects.toThrow("gone");
    await using disk = await second;
    expect((await readAt(disk, 0, 5)).toString()).toBe("hello");
  });

  it("is tried again after the disk below has failed", async () => {
    const plugin = pipe(data(gzipSync("hello")), faulty(fail("read", { times: 1, code: "EIO" })), gzip());
    expect(await thrownBy(() => openDisk(plugin))).toMatchObject({ code: "EIO" });
    await using disk = await openDisk(plugin);
    expect((await readAt(disk, 0, 5)).toString()).toBe("hello");
  });

  it("is one for each export", async () => {
    const exports: Plugin = {
      name: "exports",
      open({ exportName }) {
        const bytes = gzipSync(`this is ${exportName}`.padEnd(100));
        return { size: BigInt(bytes.length), read: (target, offset) => void bytes.copy(target, 0, Number(offset)) };
      },
    };
    const plugin = pipe(exports, gzip());
    for (const exportName of ["a", "b", "a"]) {
      await using disk = await openDisk(plugin, { exportName });
      expect((await readAt(disk, 0, 9)).toString()).toBe(`this is ${exportName}`);
    }
  });
});

describe("what is no gzip file, or a damaged one, is refused when it is opened", () => {
  const good = member(mixture(40_000), { name: "n", headerCrc: true });

  function changed(at: number, ...bytes: number[]): Buffer {
    const copy = Buffer.from(good);
    copy.set(bytes, at < 0 ? copy.length + at : at);
    return copy;
  }

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", Buffer.alloc(0), /the file is empty/],
    ["one byte", Buffer.of(0x1f), /ends \(after 1 bytes\)/],
    ["text", Buffer.from("hello world, this is no gzip file"), /header at byte 0 is not that of gzip/],
    ["another method", changed(2, 7), /compression method 7/],
    ["flags of the future", changed(3, 0x80 | 10), /flags that mean nothing/],
    ["a wrong header checksum", changed(4, 99), /checksum/],
    ["a wrong checksum", changed(-8, 1, 2, 3, 4), /does not have the checksum/],
    ["a wrong size", changed(-4, 1, 2, 3, 4), /another number/],
    ["a second member of another method", Buffer.concat([good, changed(2, 7)]), /compression method 7/],
    ["a second member that is cut off", Buffer.concat([good, good.subarray(0, 300)]), /ends \(after \d+ bytes\) in the middle/],
    [
      "a kind of block that there is not",
      Buffer.concat([member(Buffer.alloc(0)).subarray(0, 10), Buffer.alloc(50, 0xff)]),
      /kind of block/,
    ],
  ])("%s", async (_, packed, message) => {
    expect(await thrownBy(() => unpacked(packed))).toMatchObject({ name: "DiskError", message: expect.stringMatching(message) });
  });

  it("cut off anywhere", async () => {
    const short = member(mixture(3000), { extra: Buffer.from("extra"), name: "name", comment: "comment", headerCrc: true });
    for (let length = 1; length < short.length; length++) {
      const error = await thrownBy(() => unpacked(short.subarray(0, length)));
      expect(error, `${length} bytes`).toMatchObject({ code: "EIO", message: expect.stringMatching(/^gzip: the file ends/) });
    }
  });

  it("with bits turned over: what zlib refuses is refused, and what it takes is the same", async () => {
    const next = random(5);
    const content = mixture(6000);
    const packed = Object.values(packings(content));
    let refused = 0;
    for (let i = 0; i < 1500; i++) {
      const copy = Buffer.from(packed[i % packed.length] as Buffer);
      for (let flips = 0; flips <= i % 3; flips++) {
        const at = next() % copy.length;
        copy[at] = (copy[at] as number) ^ (1 << (next() % 8));
      }
      let expected: Buffer | undefined;
      try {
        expected = gunzipSync(copy);
      } catch {
        expected = undefined;
      }
      let found: Buffer | undefined;
      try {
        await using disk = await unpacked(copy);
        found = await readAt(disk, 0, Number(disk.size));
      } catch (error) {
        expect(error).toMatchObject({ name: "DiskError", message: expect.stringMatching(/^gzip: /) });
        refused++;
      }
      // Node takes what has a wrong header checksum, and what follows the last member, in ways of its own.
      if (found !== undefined && expected !== undefined) expect(found.equals(expected), `round ${i}`).toBe(true);
      if (found !== undefined) expect(found.equals(content.subarray(0, found.length)), `round ${i}`).toBe(true);
    }
    expect(refused).toBeGreaterThan(1000);
  }, 60_000);

  it("noise behind a header, of any kind", async () => {
    const header = member(Buffer.alloc(0)).subarray(0, 10);
    for (let seed = 1; seed < 150; seed++) {
      const packed = Buffer.concat([header, noise(seed * 3, seed)]);
      expect(await thrownBy(() => unpacked(packed)), `seed ${seed}`).toMatchObject({ code: "EIO", name: "DiskError" });
    }
  });

  it("a file that changes after it was opened is an error, not another content", async () => {
    const content = noise(4_000_000);
    const source = data(gzipSync(content));
    await using below = await openDisk(source);
    await using disk = await openDisk(pipe(source, gzip()));
    await below.zero(2_000_000n, 1_000_000n);
    expect(await thrownBy(() => readAt(disk, 0, 4_000_000))).toMatchObject({ code: "EIO" });
  });

  it.each([{ cache: -1 }, { index: "many" }])("the options %j", async (options) => {
    expect(() => gzip(options)).toThrow(/cache|index/);
  });
});

describe("any bytes, packed in any way", () => {
  test("are read as they were", async () => {
    const pieces = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.tuple(fc.nat(255), fc.nat(3000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
        fc
          .tuple(fc.uint8Array({ maxLength: 9 }), fc.nat(300))
          .map(([unit, times]) => Buffer.concat(Array.from({ length: times }, () => unit))),
      ),
      { maxLength: 12 },
    );
    const packing = fc.record({
      level: fc.integer({ min: 0, max: 9 }),
      memLevel: fc.integer({ min: 1, max: 9 }),
      strategy: fc.integer({ min: 0, max: 4 }),
      windowBits: fc.integer({ min: 9, max: 15 }),
    });
    await fc.assert(
      fc.asyncProperty(pieces, packing, fc.nat(), async (parts, options, seed) => {
        const content = Buffer.concat(parts);
        await using disk = await unpacked(gzipSync(content, options));
        const whole = await readAt(disk, 0, content.length);
        expect(whole.equals(content)).toBe(true);
        const at = content.length === 0 ? 0 : seed % content.length;
        expect((await readAt(disk, at, content.length - at)).equals(content.subarray(at))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe("conformance", () => {
  const content = mixture(400_000);
  testFilter({ test, filter: () => gzip(), content: gzipSync(content), model: (below) => gunzipSync(below), expect: { write: false } });
});

describe("a disk below that takes small reads only", () => {
  it("is read so", async () => {
    const content = noise(300_000);
    const small = filter("small", () => ({ blockSize: { minimum: 1, preferred: 4096, maximum: 8192 } }));
    await using disk = await openDisk(pipe(data(gzipSync(content)), small, gzip()));
    await expectContent(disk, content, 5);
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "gzip", "pigz"], "files of gzip and pigz, beside nbdkit", () => {
  it.each([
    ["gzip -1", "gzip -1"],
    ["gzip -9", "gzip -9"],
    ["pigz", "pigz"],
    ["pigz with independent blocks", "pigz -i -b 128"],
    ["pigz like zopfli", "pigz -11"],
    ["pigz without compression", "pigz -0"],
    ["rsyncable", "gzip --rsyncable"],
  ])("%s", async (_, command) => {
    const folder = tree();
    const content = mixture(command.includes("-11") ? 200_000 : 2_000_000);
    writeFileSync(join(folder, "disk"), content);
    await run("sh", ["-c", `${command} < ${folder}/disk > ${folder}/disk.gz`]);
    const shown = await expectSame(["file", join(folder, "disk.gz"), "--filter=gzip"]);
    expect(shown.content.equals(content)).toBe(true);
  });
});
