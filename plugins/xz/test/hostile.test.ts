// Files that are damaged, cut off or made to do harm: a clear error, never other bytes, never a crash, within bounds of memory and time.

import { crc32 } from "node:zlib";
import { xz } from "@diskwright/xz";
import { openDisk, pipe } from "diskwright";
import { ram } from "diskwright/testing";
import { describe, expect, test } from "vitest";
import { random, sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { decodeBlock } from "../src/block.ts";
import { readBlocks } from "../src/blocks.ts";
import { FormatError } from "../src/format/fields.ts";
import { CorruptError, Lzma2Decoder } from "../src/lzma2/decoder.ts";
import { unxzOf, xzOf } from "./samples.ts";

const decoder = new Lzma2Decoder();
const never = new AbortController().signal;

/** Reads all of a file without threads; `undefined` where it is refused as damaged. */
async function unpack(file: Uint8Array): Promise<Buffer | undefined> {
  await using disk = await openDisk(ram(file));
  try {
    const blocks = await readBlocks(disk, never);
    if (blocks.largest > 2 ** 24) return undefined;
    const pieces = Array.from({ length: blocks.count }, (_, number) => {
      const block = blocks.block(number);
      return Buffer.from(decodeBlock(decoder, file.slice(block.at, block.at + block.length), block));
    });
    return Buffer.concat(pieces);
  } catch (error) {
    if (error instanceof FormatError || error instanceof CorruptError) return undefined;
    throw error;
  }
}

/** A file is either refused or read as xz reads it. */
async function expectHarmless(file: Uint8Array, about: string): Promise<void> {
  const ours = await unpack(file);
  if (ours !== undefined) expect(unxzOf(file)?.equals(ours), about).toBe(true);
}

describeWith(["xz"], "damage", () => {
  const content = sample(3000, 3);
  const files: Readonly<Record<string, Buffer>> = {
    crc32: xzOf(content, "--check=crc32", "--block-size=1000"),
    "sha256 and x86": xzOf(content, "--check=sha256", "--x86", "--lzma2", "--block-size=2000"),
    "two streams": Buffer.concat([xzOf(content.subarray(0, 500)), Buffer.alloc(4), xzOf(content.subarray(500), "--block-size=2000")]),
  };
  for (const [name, file] of Object.entries(files)) {
    test(`${name}: every byte changed in turn, in one bit and in all`, async () => {
      expect(await unpack(file)).toEqual(content);
      for (let at = 0; at < file.length; at += 1) {
        for (const change of [1 << (at % 8), 0xff]) {
          const damaged = Buffer.from(file);
          damaged[at] = (damaged[at] as number) ^ change;
          const read = await unpack(damaged);
          expect(read === undefined || read.equals(content), `byte ${at} ^ ${change}`).toBe(true);
        }
      }
    });

    test(`${name}: cut off after every byte`, async () => {
      for (let length = 0; length < file.length; length += 1) await expectHarmless(file.subarray(0, length), `${length} bytes`);
    });

    test(`${name}: without any of its first bytes`, async () => {
      for (let start = 1; start < file.length; start += 1) await expectHarmless(file.subarray(start), `from byte ${start}`);
    });
  }

  test("chunks changed where no checksum is to save us: never more than the block, and it ends", () => {
    const next = random(11);
    const packed = xzOf(content, "--check=none", "--format=raw", "--lzma2=preset=0,dict=4KiB");
    const damagedBy = (changes: number): Buffer => {
      const damaged = Buffer.from(packed);
      for (let i = 0; i < changes; i += 1) damaged[next() % damaged.length] = next();
      return damaged;
    };
    expect(Buffer.from(decoder.decode(packed, content.length, 4096))).toEqual(content);
    let refused = 0;
    for (let round = 0; round < 3000; round += 1) {
      try {
        expect(decoder.decode(damagedBy(1 + (round % 4)), content.length, 4096)).toHaveLength(content.length);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    for (let length = 0; length < packed.length; length += 1) {
      expect(() => decoder.decode(packed.subarray(0, length), content.length, 4096)).toThrow(CorruptError);
    }
    for (const wrong of [content.length - 1, content.length + 1, 0]) {
      expect(() => decoder.decode(packed, wrong, 4096)).toThrow(CorruptError);
    }
    expect(() => decoder.decode(Buffer.concat([packed, Buffer.of(0)]), content.length, 4096)).toThrow("goes on after its end");
  });
});

describe("lies", () => {
  test("an index that promises more than LZMA can unpack is refused before anything is unpacked", async () => {
    await expect(opened(fileOf([[64, 64 * 8192 + 1]]))).rejects.toThrow("no such data do");
  });

  test("an index with a terabyte in a block is refused, unless one allows that", async () => {
    await expect(opened(fileOf([[2 ** 28, 2 ** 40]], 2 ** 28))).rejects.toThrow(/longer than the file|more than maxBlock/);
  });

  test("an index with more blocks than it has room for is refused", async () => {
    await expect(opened(fileOf([], 0, 2 ** 40))).rejects.toThrow("fewer blocks than it says");
  });

  test("numbers that are longer than they need to be, larger than any file, or have no end, are refused", async () => {
    for (const bytes of [[0x81, 0x00], Array.from({ length: 10 }, () => 0xff), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]) {
      await expect(opened(streamOf(Buffer.alloc(0), Buffer.from([0, ...bytes])))).rejects.toThrow(/has a number that/);
    }
  });

  test("a block that is to take far more bytes than it becomes is refused", async () => {
    await expect(opened(fileOf([[2 ** 20, 1]], 2 ** 20))).rejects.toThrow("to become 1");
  });

  test("a block that is none is refused when it is read, with its place", async () => {
    await using disk = await opened(fileOf([[64, 512]], 64));
    const reading = Promise.resolve(disk.read(new Uint8Array(1), 0n));
    await expect(reading).rejects.toMatchObject({
      code: "EIO",
      message: expect.stringContaining("block 1 of 1 of the xz file, at its byte 12"),
    });
  });

  test("a file of very many streams does not keep others waiting, and ends with the client", async () => {
    const empty = streamOf(Buffer.alloc(0), Buffer.from([0, 0]));
    const many = Buffer.concat(Array.from({ length: 50_000 }, () => empty));
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error("gone")));
    await expect(openDisk(pipe(ram(many), xz()), { signal: controller.signal })).rejects.toThrow("gone");
  });
});

function opened(file: Uint8Array): ReturnType<typeof openDisk> {
  return openDisk(pipe(ram(file), xz({ threads: 1 })));
}

/** A file with an index of these blocks, of which it has so many bytes. */
function fileOf(blocks: readonly (readonly [unpadded: number, uncompressed: number])[], bytes = 64, count: number = blocks.length): Buffer {
  return streamOf(Buffer.alloc(Math.ceil(bytes / 4) * 4), Buffer.from([0, ...vli(count), ...blocks.flat().flatMap(vli)]));
}

/** A stream around the bytes of blocks and of an index, to which padding and checksum are added. */
function streamOf(blocks: Buffer, index: Buffer): Buffer {
  const flags = Buffer.from([0, 0]);
  const padded = Buffer.concat([index, Buffer.alloc((4 - (index.length % 4)) % 4)]);
  const whole = Buffer.concat([padded, checksum(padded)]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(whole.length / 4 - 1);
  const tail = Buffer.concat([size, flags]);
  return Buffer.concat([
    Buffer.from("\xfd7zXZ\0", "latin1"),
    flags,
    checksum(flags),
    blocks,
    whole,
    checksum(tail),
    tail,
    Buffer.from("YZ"),
  ]);
}

function checksum(bytes: Uint8Array): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(crc32(bytes));
  return buffer;
}

function vli(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...vli(Math.floor(value / 0x80))];
}
