// The readahead filter: who reads in sequence is read ahead for, by the layer below or into memory, and never gets what is out of date.

import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { Sequence } from "../../src/filters/readahead/sequence.ts";
import type { Disk, Plugin } from "../../src/index.ts";
import { cache, filter, openDisk, pipe, readahead } from "../../src/index.ts";
import { allSorts } from "../../src/testing/filter-model.ts";
import { type Call, classRam, fail, faulty, hold, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { batches, jitter, perform } from "../fixtures/byte-model.ts";
import { expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

const content: Uint8Array = Uint8Array.from({ length: 4_000_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const PAGE = 65_536;

async function opened(plugin: Plugin): Promise<Disk> {
  const disk = await openDisk(plugin);
  onTestFinished(() => disk.close().catch(() => undefined));
  return disk;
}

async function expectRead(disk: Disk, offset: number, length = PAGE): Promise<void> {
  const target = Buffer.alloc(length, 0xee);
  await disk.read(target, BigInt(offset));
  expect(target.equals(content.subarray(offset, offset + length)), `${length} at ${offset}`).toBe(true);
}

describe("contract, over a layer that can bring near", () => {
  testFilter({ test, filter: () => readahead(), transparent: true });
});

describe("contract, over one that cannot", () => {
  testFilter({
    test,
    filter: () => {
      const [without, above] = [jitter(1), readahead()];
      const no = filter("no", () => ({ cache: undefined, extents: undefined }));
      return (next) => above(no(without(next)));
    },
    transparent: true,
    takesAway: ["cache", "extents"],
  });
});

describe("a sequence", () => {
  const size = 2n ** 40n;

  test("begins with the second read, and grows up to what is the most", () => {
    const sequence = new Sequence(size, 1024 * 1024);
    const found: (string | undefined)[] = [];
    for (let at = 0; at < 20 * PAGE; at += PAGE) {
      const range = sequence.next(BigInt(at), PAGE);
      found.push(typeof range === "object" ? `${range.start / 65_536n}-${range.end / 65_536n}` : range);
    }
    expect(found.slice(0, 4)).toEqual(["elsewhere", "2-4", "4-7", "7-12"]);
    const lengths = found.filter((text) => text?.includes("-")).map((text) => Number(text?.split("-")[1]) - Number(text?.split("-")[0]));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(16);
  });

  test("is not what jumps about", () => {
    const sequence = new Sequence(size, 1024 * 1024);
    for (let i = 0; i < 100; i += 1) expect(sequence.next((BigInt(i) * 7_919_000_003n) % size, 4096)).toBe("elsewhere");
  });

  test("may be read by requests that overtake each other", () => {
    const sequence = new Sequence(size, 1024 * 1024);
    sequence.next(0n, PAGE);
    sequence.next(65_536n, PAGE);
    expect(sequence.next(196_608n, PAGE)).not.toBe("elsewhere");
    expect(sequence.next(262_144n, PAGE)).not.toBe("elsewhere");
  });

  test("never goes past the end, nor over the same bytes twice", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 50 }), (lengths) => {
        const sequence = new Sequence(4_000_000n, 1024 * 1024);
        let at = 0n;
        let until = 0n;
        for (const length of lengths) {
          if (at + BigInt(length) > 4_000_000n) return;
          const range = sequence.next(at, length);
          at += BigInt(length);
          if (typeof range !== "object") continue;
          expect(range.start).toBeGreaterThanOrEqual(until);
          expect(range.end).toBeGreaterThan(range.start);
          expect(range.end).toBeLessThanOrEqual(4_000_000n);
          until = range.end;
        }
      }),
    );
  });
});

describe("over a layer that can bring near", () => {
  test("it is asked to, after the read", async () => {
    const calls: Call[] = [];
    const disk = await opened(pipe(ram(content), recorded("below", calls), readahead()));
    calls.length = 0;
    for (let i = 0; i < 3; i += 1) await expectRead(disk, i * PAGE);
    expect(calls.map(String)).toEqual([
      "below: read 65536 at 0",
      "below: read 65536 at 65536",
      "below: cache 131072 at 131072",
      "below: read 65536 at 131072",
      "below: cache 196608 at 262144",
    ]);
  });

  test("with a cache below, the client finds what it wants there", async () => {
    const calls: Call[] = [];
    const disk = await opened(pipe(ram(content), recorded("below", calls), cache({ blockSize: "64k" }), readahead()));
    for (let i = 0; i < 10; i += 1) await expectRead(disk, i * PAGE);
    await disk.cache(0n, 4_000_000n);
    calls.length = 0;
    await expectRead(disk, 10 * PAGE);
    expect(calls).toEqual([]);
  });

  test("what fails there is nobody's error", async () => {
    const disk = await opened(pipe(ram(content), jitter(2), faulty(fail("cache")), readahead()));
    for (let i = 0; i < 10; i += 1) await expectRead(disk, i * PAGE);
  });

  test("no more than a few prefetches wait there", async () => {
    const calls: Call[] = [];
    const held = hold("cache");
    const disk = await opened(pipe(ram(content), faulty(held), recorded("below", calls), readahead()));
    for (let i = 0; i < 50; i += 1) await expectRead(disk, i * PAGE);
    expect(calls.filter(({ operation }) => operation === "cache").length).toBe(4);
    held.release();
  });
});

describe("over one that cannot, and takes its time", () => {
  test("it reads ahead, and the client's reads find that", async () => {
    const calls: Call[] = [];
    const disk = await opened(pipe(classRam(content), recorded("below", calls), readahead()));
    calls.length = 0;
    for (let i = 0; i < 50; i += 1) await expectRead(disk, i * PAGE);
    const reads = calls.filter(({ operation }) => operation === "read");
    expect(reads.slice(0, 3).map(String)).toEqual(["below: read 65536 at 0", "below: read 65536 at 65536", "below: read 131072 at 131072"]);
    // Nothing is read twice, and most of it in larger pieces.
    const bytes = reads.reduce((sum, { length }) => sum + Number(length), 0);
    expect(bytes).toBeLessThanOrEqual(content.length);
    expect(reads.length).toBeLessThan(30);
  });

  test("over one that answers at once it does nothing", async () => {
    const calls: Call[] = [];
    const no = filter("no", () => ({ cache: undefined }));
    const disk = await opened(pipe(ram(content), no, recorded("below", calls), readahead()));
    calls.length = 0;
    for (let i = 0; i < 5; i += 1) expect(disk.read(new Uint8Array(PAGE), BigInt(i * PAGE))).toBeUndefined();
    expect(calls.length).toBe(5);
  });

  test("what anybody writes is read, also when it was read ahead before, or is being so", async () => {
    const plugin = pipe(classRam(content), jitter(3), readahead());
    const [reader, writer] = [await opened(plugin), await opened(plugin)];
    for (let i = 0; i < 4; i += 1) await expectRead(reader, i * PAGE);
    const changed = Buffer.alloc(PAGE, 1);
    await writer.write(changed, BigInt(4 * PAGE));
    const target = Buffer.alloc(PAGE);
    await reader.read(target, BigInt(4 * PAGE));
    expect(target.equals(changed)).toBe(true);
    await writer.zero(BigInt(6 * PAGE), BigInt(PAGE));
    await expectRead(reader, 5 * PAGE);
    await reader.read(target, BigInt(6 * PAGE));
    expect(target.equals(Buffer.alloc(PAGE))).toBe(true);
  });

  test("what fails in reading ahead is the client's error only if it gets there", async () => {
    const bad = BigInt(10 * PAGE + 5);
    const disk = await opened(pipe(classRam(content), faulty(fail("read", { at: bad, code: "EPERM" })), readahead()));
    for (let i = 0; i < 10; i += 1) await expectRead(disk, i * PAGE);
    await expect(async () => expectRead(disk, 10 * PAGE)).rejects.toMatchObject({ code: "EPERM" });
    await expectRead(disk, 11 * PAGE);
  });

  test("closing waits for what is under way", async () => {
    const held = hold("read", { nth: 3 });
    const disk = await opened(pipe(classRam(content), faulty(held), readahead()));
    await expectRead(disk, 0);
    await expectRead(disk, PAGE);
    await held.arrived;
    const closing = disk.close();
    held.release();
    await closing;
  });

  test("random requests of several clients agree with a model", async () => {
    const size = 1_000_000;
    const bytes = allSorts(size);
    await fc.assert(
      fc.asyncProperty(batches(size, 3, 300_000, ["read", "read", "write", "zero"]), fc.nat(), async (list, seed) => {
        const no = filter("no", () => ({ cache: undefined }));
        const plugin = pipe(ram(bytes), jitter(seed), no, readahead());
        const disks = [await openDisk(plugin), await openDisk(plugin), await openDisk(plugin)];
        const model = bytes.slice();
        for (const steps of list) {
          await perform(disks, steps, model);
          const walker = disks[steps.length % 3] as Disk;
          for (let at = 0; at < 600_000; at += PAGE) {
            const target = Buffer.alloc(PAGE);
            await walker.read(target, BigInt(at));
            expect(target.equals(model.subarray(at, at + PAGE)), `sequence at ${at}`).toBe(true);
          }
        }
        for (const disk of disks) await disk.close();
      }),
      { numRuns: 10 },
    );
  }, 60_000);
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "side by side with nbdkit", () => {
  test.each([["--filter=readahead"], ["--filter=readahead", "--filter=cache"], ["--filter=readahead", "--filter=cow"]])(
    "%s %s",
    async (...filters) => {
      await expectSame([...filters, "memory", "4000001"]);
    },
  );
});
