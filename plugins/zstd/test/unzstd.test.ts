// What the filter reads from files that the real programs made, and how it goes about it.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unzstd } from "@diskwright/zstd";
import { type Disk, type Filter, openDisk, pipe } from "diskwright";
import { type Call, ram, recorded, testFilter } from "diskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { frameOf, seekableOf, unzstdOf, zstdOf } from "./files.ts";

const content = sample(1_500_000);

/** The disk that a file makes, until the end of the test. */
async function open(file: Uint8Array, options: Parameters<typeof unzstd>[0] = {}, ...below: Filter[]): Promise<Disk> {
  const disk = await openDisk(pipe(ram(file), ...below, unzstd(options)));
  onTestFinished(() => disk.close());
  return disk;
}

async function read(disk: Disk, offset: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  await disk.read(target, BigInt(offset));
  return target;
}

/** Reads all of it at once, in pieces that fit nothing. */
async function readAll(disk: Disk): Promise<Buffer> {
  const pieces: Promise<Buffer>[] = [];
  for (let at = 0; at < Number(disk.size); at += 77_777) pieces.push(read(disk, at, Math.min(77_777, Number(disk.size) - at)));
  return Buffer.concat(await Promise.all(pieces));
}

async function expectContent(file: Uint8Array, options: Parameters<typeof unzstd>[0] = {}): Promise<void> {
  const disk = await open(file, options);
  expect((await readAll(disk)).equals(content)).toBe(true);
  for (const at of [1_400_000, 700_000, 5, 699_990]) expect(await read(disk, at, 1000)).toEqual(content.subarray(at, at + 1000));
}

describeWith(["zstd"], "files made by zstd", () => {
  test.each([
    ["at the lowest setting", ["-1"]],
    ["at a high setting", ["-19"]],
    ["without a checksum", ["--no-check"]],
    ["with a window larger than usual", ["--long=27"]],
    ["with a small one", ["--zstd=wlog=12"]],
    ["by several threads", ["-T2", "-B256KiB"]],
  ])("%s", async (_, options) => {
    await expectContent(frameOf(content, ...options));
    // In memory that holds but little of it, the frame is not decompressed whole.
    await expectContent(frameOf(content, ...options), { maxMemory: "1M" });
  });

  test("from a pipe, which do not say how much they hold", async () => {
    await expectContent(zstdOf(content));
    await expectContent(zstdOf(content), { maxMemory: "1M" });
  });

  test("several, one after the other, some of them empty, with skippable frames between them", async () => {
    const skippable = Buffer.concat([Buffer.from([0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from("hello")]);
    const cuts = [0, 0, 1, 400_000, 400_001, 1_500_000];
    const frames = cuts.slice(1).map((end, index) => frameOf(content.subarray(cuts[index], end)));
    await expectContent(Buffer.concat([skippable, ...frames.flatMap((frame) => [frame, skippable])]));
  });

  test("of nothing: a disk of no bytes", async () => {
    expect((await open(zstdOf(Buffer.alloc(0)))).size).toBe(0n);
  });

  test("of zeroes, which become thousands of times as large", async () => {
    const disk = await open(frameOf(Buffer.alloc(100_000_000)));
    expect(disk.size).toBe(100_000_000n);
    expect(await read(disk, 99_999_000, 1000)).toEqual(Buffer.alloc(1000));
  });
});

describeWith(["pzstd"], "files made by pzstd", () => {
  test("in many frames", async () => {
    const folder = tree();
    writeFileSync(join(folder, "plain"), content);
    execFileSync("pzstd", ["-q", "-p", "2", "-o", join(folder, "packed"), join(folder, "plain")]);
    await expectContent(readFileSync(join(folder, "packed")));
  });
});

describeWith(["zstd"], "seekable files", () => {
  test.each([
    ["with checksums in the table", { frame: 100_000 }],
    ["with checksums there and in the frames", { frame: 100_000, own: true }],
    ["without checksums", { frame: 100_000, checksums: false }],
    ["with frames that are larger than what is kept", { frame: 1_000_000 }],
  ])("%s", async (_, options) => {
    await expectContent(seekableOf(content, options), { maxMemory: "1M" });
  });

  test("are only read where something is asked for", async () => {
    const file = seekableOf(content, { frame: 50_000 });
    const calls: Call[] = [];
    const disk = await open(file, {}, recorded("file", calls));
    calls.length = 0;
    expect(await read(disk, 1_000_000, 100)).toEqual(content.subarray(1_000_000, 1_000_100));
    const bytes = calls.reduce((sum, { operation, length }) => sum + (operation === "read" ? Number(length) : 0), 0);
    expect(bytes).toBeLessThan(52_000);
    calls.length = 0;
    expect(await read(disk, 1_000_050, 100)).toEqual(content.subarray(1_000_050, 1_000_150));
    expect(calls).toEqual([]);
  });

  test("lend what is at hand", async () => {
    const disk = await open(seekableOf(content, { frame: 100_000 }));
    expect(disk.views?.(99_000n, 2000)).toBeUndefined();
    await read(disk, 99_000, 2000);
    expect(Buffer.concat(disk.views?.(99_000n, 2000) ?? [])).toEqual(content.subarray(99_000, 101_000));
  });
});

describeWith(["zstd"], "a large frame", () => {
  test("is decompressed once for a client that reads it from front to back, and again for one that goes back too far", async () => {
    const file = frameOf(content);
    const calls: Call[] = [];
    const disk = await open(file, { maxMemory: "512k" }, recorded("file", calls));
    const readBytes = (): number =>
      calls.splice(0).reduce((sum, { operation, length }) => sum + (operation === "read" ? Number(length) : 0), 0);
    readBytes();
    for (let at = 0; at < 1_400_000; at += 100_000) await read(disk, at, 100_000);
    expect(readBytes()).toBeLessThan(file.length + 100);
    await read(disk, 0, 100);
    expect(readBytes()).toBeGreaterThan(0);
    expect(await read(disk, 1_400_000, 100_000)).toEqual(content.subarray(1_400_000));
    expect(readBytes()).toBeLessThan(file.length);
  });
});

describeWith(["zstd"], "the conformance suite", () => {
  const small = content.subarray(0, 400_000);
  for (const [name, file] of [
    ["seekable", seekableOf(small, { frame: 30_000 })],
    ["one frame", frameOf(small)],
  ] as const) {
    testFilter({
      test,
      name,
      filter: () => unzstd({ maxMemory: name === "seekable" ? "64M" : "256k" }),
      content: file,
      model: (below) => unzstdOf(below) as Buffer,
      expect: { write: false, trim: false, zero: false, extents: false, views: true },
    });
  }
});

describe("options", () => {
  test.each([
    [{ maxMemory: 0 }, "maxMemory 0: expected at least a byte"],
    [{ maxMemory: "much" }, 'maxMemory "much"'],
    [{ maxWindow: "3M" }, "maxWindow 3M: expected a power of two from 1K to 2G"],
    [{ maxWindow: "4G" }, "maxWindow 4G"],
  ])("%o is refused", (options, text) => {
    expect(() => unzstd(options)).toThrow(text);
  });
});
