// What the filter reads from files that the real programs made, and how it goes about it.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { xz } from "@diskwright/xz";
import { type Disk, DiskError, type Filter, openDisk, pipe } from "diskwright";
import { type Call, fail, faulty, hold, ram, recorded } from "diskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { random, sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { xzOf } from "./samples.ts";

const KIB = 1024;
const content = sample(300_000);

/** The disk that a file makes, until the end of the test. */
async function open(file: Uint8Array, options: Parameters<typeof xz>[0] = {}, ...below: Filter[]): Promise<Disk> {
  const disk = await openDisk(pipe(ram(file), ...below, xz({ threads: 2, ...options })));
  onTestFinished(() => disk.close());
  return disk;
}

async function read(disk: Disk, offset: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  await disk.read(target, BigInt(offset));
  return target;
}

/** Reads all of it, in pieces that fit nothing. */
async function readAll(disk: Disk): Promise<Buffer> {
  const pieces: Promise<Buffer>[] = [];
  for (let at = 0; at < Number(disk.size); at += 7777) pieces.push(read(disk, at, Math.min(7777, Number(disk.size) - at)));
  return Buffer.concat(await Promise.all(pieces));
}

describeWith(["xz"], "files made by xz", () => {
  test.each([
    ["in one block", []],
    ["in small blocks", ["--block-size=10000"]],
    ["in blocks of a list of sizes", ["--block-list=1,70000,3,0"]],
    ["by several threads", ["-T2", "--block-size=65536"]],
    ["at the lowest setting", ["-0"]],
    ["at the highest setting", ["-9e"]],
    ["without a check", ["--check=none"]],
    ["checked by CRC32", ["--check=crc32"]],
    ["checked by CRC64", ["--check=crc64"]],
    ["checked by SHA-256", ["--check=sha256"]],
    ["with a small dictionary", ["--lzma2=dict=4KiB"]],
    ["with other bits of context", ["--lzma2=lc=0,lp=4,pb=4"]],
    ["with four bits of literal context", ["--lzma2=lc=4,lp=0,pb=0"]],
  ])("%s", async (_, options) => {
    const disk = await open(xzOf(content, ...options));
    expect(await readAll(disk)).toEqual(content);
  });

  test.each(["x86", "arm", "armthumb", "arm64", "powerpc", "ia64", "sparc", "delta", "delta=dist=7", "x86=start=4096"])(
    "through the filter %s",
    async (filter) => {
      const code = machineCode(200_000);
      const disk = await open(xzOf(code, `--${filter}`, "--lzma2=preset=0"));
      expect((await readAll(disk)).equals(code)).toBe(true);
    },
  );

  test("through several filters", async () => {
    const code = machineCode(100_000);
    const disk = await open(xzOf(code, "--x86", "--delta=dist=4", "--arm", "--lzma2"));
    expect((await readAll(disk)).equals(code)).toBe(true);
  });

  test("several, one after the other, with padding between them and after the last", async () => {
    const padding = (length: number) => Buffer.alloc(length);
    const parts = [0, 1, 70_000, 0, 5].map((length, index) => content.subarray(index, index + length));
    const streams = parts.map((part, index) => xzOf(part, `--check=${["crc32", "crc64", "sha256", "none", "crc64"][index]}`));
    const disk = await open(Buffer.concat(streams.flatMap((stream, index) => [stream, padding(4 * index)])));
    expect(await readAll(disk)).toEqual(Buffer.concat(parts));
  });

  test("of nothing: a disk of no bytes", async () => {
    expect((await open(xzOf(Buffer.alloc(0)))).size).toBe(0n);
  });

  test("padded to whole sectors, on a disk that is only read in sectors", async () => {
    const file = xzOf(content, "--block-size=20000");
    const padded = Buffer.concat([file, Buffer.alloc(4096 - (file.length % 4096))]);
    const whole = Buffer.alloc(padded.length);
    padded.copy(whole);
    const sectors: Filter = (next) => ({
      name: "sectors",
      async open(request) {
        const below = await next.open(request);
        return {
          size: below.size,
          blockSize: { minimum: 4096, preferred: 4096, maximum: 8192 },
          read(target, offset) {
            expect([offset % 4096n, target.length % 4096, target.length <= 8192]).toEqual([0n, 0, true]);
            return below.read(target, offset);
          },
        };
      },
    });
    expect(await readAll(await open(whole, {}, sectors))).toEqual(content);
  });

  test("of zeroes, which become thousands of times as large", async () => {
    const zeroes = Buffer.alloc(30_000_000);
    const disk = await open(xzOf(zeroes));
    expect(disk.size).toBe(30_000_000n);
    expect(await read(disk, 29_999_000, 1000)).toEqual(Buffer.alloc(1000));
  });
});

describeWith(["pixz"], "files made by pixz", () => {
  test.each(["-t", "-tp1"])("%s", async (options) => {
    const folder = tree();
    writeFileSync(join(folder, "plain"), content);
    execFileSync("pixz", [options, join(folder, "plain"), join(folder, "packed")]);
    expect(await readAll(await open(readFileSync(join(folder, "packed"))))).toEqual(content);
  });
});

describeWith(["xz"], "decompression", () => {
  const file = xzOf(content, "--block-size=16KiB");

  test("takes in only the blocks that are read", async () => {
    const calls: Call[] = [];
    const disk = await open(file, {}, recorded("file", calls));
    calls.length = 0;
    expect(await read(disk, 100 * KIB + 5, 100)).toEqual(content.subarray(100 * KIB + 5, 100 * KIB + 105));
    expect(calls.filter(({ operation }) => operation === "read")).toHaveLength(1);
  });

  test("is done once for a block that many ask for at the same time, also as different clients", async () => {
    const calls: Call[] = [];
    const plugin = pipe(ram(file), recorded("file", calls), xz({ threads: 2 }));
    const disks = await Promise.all([openDisk(plugin), openDisk(plugin)]);
    onTestFinished(async () => void (await Promise.all(disks.map((disk) => disk.close()))));
    calls.length = 0;
    await Promise.all(disks.flatMap((disk) => Array.from({ length: 20 }, (_, i) => read(disk, 16 * KIB + 100 * i, 100))));
    const offsets = calls.filter(({ operation }) => operation === "read").map(({ offset }) => offset);
    expect(offsets).toEqual([...new Set(offsets)]);
  });

  test("is not repeated for a block that is still kept, and is for one that is not", async () => {
    const calls: Call[] = [];
    const disk = await open(file, { maxDepth: 2, threads: 1 }, recorded("file", calls));
    const reads = async (...blocks: number[]): Promise<number> => {
      calls.length = 0;
      for (const block of blocks) await read(disk, block * 16 * KIB, 10);
      return calls.filter(({ operation }) => operation === "read").length;
    };
    expect(await reads(4, 8)).toBe(2);
    expect(await reads(4, 8, 8, 4)).toBe(0);
    expect(await reads(2, 4)).toBe(1);
    expect(await reads(8)).toBe(1);
  });

  test("goes ahead of a client that reads one block after the other", async () => {
    const calls: Call[] = [];
    const disk = await open(file, { threads: 1 }, recorded("file", calls));
    for (const block of [0, 1, 2]) await read(disk, block * 16 * KIB, 16 * KIB);
    calls.length = 0;
    await read(disk, 3 * 16 * KIB, 10);
    const first = calls.find(({ operation }) => operation === "read");
    // The block itself was begun before it was asked for: what is read now lies behind it.
    expect(first === undefined || Number(first.offset) > 0).toBe(true);
  });

  test("lends blocks that are at hand, and says that it cannot where they are not", async () => {
    const disk = await open(file);
    expect(disk.views?.(0n, 20_000)).toBeUndefined();
    await read(disk, 0, 20_000);
    const views = disk.views?.(0n, 20_000) ?? [];
    expect(Buffer.concat(views)).toEqual(content.subarray(0, 20_000));
    expect(views).toHaveLength(2);
  });

  test("of what will be read soon is done by cache()", async () => {
    const disk = await open(file);
    await disk.cache(16n * 1024n, 100n);
    expect(disk.views?.(16n * 1024n, 100)).toHaveLength(1);
  });

  test("ends for a client that goes, and goes on for the others who wait", async () => {
    const held = hold("read", { at: BigInt(firstBlock(file)) });
    const plugin = pipe(ram(file), faulty(held), xz({ threads: 1 }));
    const controller = new AbortController();
    const leaving = await openDisk(plugin, { signal: controller.signal });
    const staying = await openDisk(plugin);
    const gone = read(leaving, 0, 10);
    gone.catch(() => undefined);
    await held.arrived;
    const kept = read(staying, 0, 10);
    controller.abort(new Error("gone"));
    await expect(gone).rejects.toThrow("gone");
    held.release();
    expect(await kept).toEqual(content.subarray(0, 10));
    await Promise.all([leaving.close(), staying.close()]);
  });

  test("is tried again after an error of the disk below, which reaches the client", async () => {
    const disk = await open(file, {}, faulty(fail("read", { times: 1, code: "EIO", at: BigInt(firstBlock(file)) })));
    await expect(read(disk, 0, 10)).rejects.toMatchObject({ code: "EIO" });
    expect(await read(disk, 0, 10)).toEqual(content.subarray(0, 10));
  });

  test("works again when the plugin is closed and opened anew", async () => {
    const plugin = pipe(ram(file), xz());
    for (let round = 0; round < 2; round += 1) {
      await using disk = await openDisk(plugin);
      expect(await read(disk, 0, 10)).toEqual(content.subarray(0, 10));
    }
  });
});

describeWith(["xz"], "limits", () => {
  test("a file with a single block is refused when that is too large, and the error says what to do", async () => {
    const error = await open(xzOf(content), { maxBlock: "100k" }).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(Error);
    expect(DiskError.is(error)).toBe(true);
    expect(String(error)).toContain("the largest block of the xz file is 300000 bytes, more than maxBlock (102400)");
    expect(String(error)).toContain("xz --block-size=");
  });

  test("a block is decompressed however little memory is allowed", async () => {
    const disk = await open(xzOf(content, "--block-size=100KiB"), { maxMemory: 1 });
    expect(await readAll(disk)).toEqual(content);
  });

  test.each([
    [{ maxBlock: 0 }, "maxBlock 0: expected 1 to 2147483648 bytes"],
    [{ maxBlock: "3G" }, "maxBlock 3221225472: expected"],
    [{ maxBlock: "lots" }, 'maxBlock "lots"'],
    [{ maxDepth: 0 }, "maxDepth 0: expected a whole number from 1"],
    [{ maxDepth: 1.5 }, "maxDepth 1.5"],
    [{ maxMemory: "0" }, "maxMemory 0"],
    [{ threads: 0 }, "threads 0: expected a whole number from 1 to 64"],
    [{ threads: "two" as unknown as number }, "threads two"],
  ])("%o is refused", (options, text) => {
    expect(() => xz(options)).toThrow(text);
  });
});

describe("what is no xz file", () => {
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["a byte", Buffer.from("x")],
    ["zeroes", Buffer.alloc(100_000)],
    ["text", Buffer.from("hello ".repeat(1000))],
    ["gzip", Buffer.from("1f8b0800000000000003", "hex")],
  ])("%s is refused", async (_, file) => {
    await expect(open(file)).rejects.toThrow("the xz file cannot be read: not an xz file");
  });
});

/** Where the first block of a file is: right after the stream's header. */
function firstBlock(file: Buffer): number {
  expect(file.subarray(0, 6)).toEqual(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]));
  return 12;
}

/** Noise in which there are instructions that the filters for machine code change, at every kind of place. */
function machineCode(length: number): Buffer {
  const next = random(7);
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = next();
  for (let i = 0; i + 16 < length; i += 1 + (next() % 24)) {
    const kind = next() % 7;
    const word = i & ~3;
    if (kind === 0) bytes.set([0xe8 + (next() & 1), next(), next(), next(), next() % 2 === 0 ? 0 : 0xff], i);
    if (kind === 1) bytes[word + 3] = 0xeb;
    if (kind === 2) bytes.set([next(), 0xf0 | (next() & 7), next(), 0xf8 | (next() & 7)], i & ~1);
    if (kind === 3) bytes.writeUInt32LE((0x94000000 | (next() & 0x3ffffff)) >>> 0, word);
    if (kind === 4)
      bytes.writeUInt32LE((0x90000000 | ((next() & 3) << 29) | (next() & 0x1fffff) | (next() % 2 === 0 ? 0 : 0xe00000)) >>> 0, word);
    if (kind === 5) bytes.writeUInt32BE((0x48000001 | (next() & 0x3fffffc)) >>> 0, word);
    if (kind === 6) bytes.writeUInt32BE((0x40000000 | (next() & 0x3fffff)) >>> 0, word);
    if (next() % 5 === 0) bytes[i & ~15] = 0x10 | (next() & 0x0f);
  }
  return bytes;
}
