// Headers and trailers of gzip members (RFC 1952, section 2.3).

import { crc32 } from "node:zlib";
import { DiskError } from "../../contract/error.ts";
import { MARGIN, type Source } from "./source.ts";

const HEADER_CRC = 0x02;
const EXTRA = 0x04;
const NAME = 0x08;
const COMMENT = 0x10;
const RESERVED = 0xe0;
const DEFLATE = 8;

/** Whether a member starts here: what does not look like one, after the first, is garbage that gzip passes over too. */
export async function atMember(source: Source): Promise<boolean> {
  await source.fill();
  return source.left >= 2 && source.bytes[source.at] === 0x1f && source.bytes[source.at + 1] === 0x8b;
}

/**
 * Reads a member's header, up to its data.
 *
 * @throws DiskError EIO when it is none, or damaged
 */
export async function readHeader(source: Source, signal?: AbortSignal): Promise<void> {
  const start = source.position;
  const damaged = (what: string): DiskError => new DiskError("EIO", `gzip: the header at byte ${start} ${what}`);
  let crc = 0;
  const take = async (count: number): Promise<Buffer> => {
    await source.fill();
    if (source.left < count) throw cutOff(source);
    const bytes = Buffer.from(source.bytes.subarray(source.at, source.at + count));
    source.at += count;
    crc = crc32(bytes, crc);
    return bytes;
  };
  /** Passes over a text that ends with a zero byte, of any length. */
  const skipText = async (): Promise<void> => {
    for (;;) {
      signal?.throwIfAborted();
      await source.fill();
      if (source.left <= 0) throw cutOff(source);
      const zero = source.bytes.subarray(source.at, source.end).indexOf(0);
      const length = zero === -1 ? source.left : zero + 1;
      crc = crc32(source.bytes.subarray(source.at, source.at + length), crc);
      source.at += length;
      if (zero !== -1) return;
    }
  };

  const fixed = await take(10);
  if (fixed.readUInt16BE(0) !== 0x1f8b) throw damaged("is not that of gzip (it would begin with the bytes 1f 8b)");
  if (fixed[2] !== DEFLATE) throw damaged(`names compression method ${fixed[2]}: only deflate (8) is known`);
  const flags = fixed[3] as number;
  if ((flags & RESERVED) !== 0) throw damaged(`has flags that mean nothing (0x${flags.toString(16)})`);
  if ((flags & EXTRA) !== 0) {
    for (let left = (await take(2)).readUInt16LE(0); left > 0; ) left -= (await take(Math.min(left, MARGIN))).length;
  }
  if ((flags & NAME) !== 0) await skipText();
  if ((flags & COMMENT) !== 0) await skipText();
  if ((flags & HEADER_CRC) === 0) return;
  const expected = crc & 0xffff;
  const found = (await take(2)).readUInt16LE(0);
  if (found !== expected) throw damaged("does not have the checksum that it says");
}

/** Reads a member's trailer: its data's CRC-32, and how many bytes they were, modulo 2^32. */
export async function readTrailer(source: Source): Promise<{ readonly crc: number; readonly size: number }> {
  await source.fill();
  if (source.left < 8) throw cutOff(source);
  const bytes = Buffer.from(source.bytes.subarray(source.at, source.at + 8));
  source.at += 8;
  return { crc: bytes.readUInt32LE(0), size: bytes.readUInt32LE(4) };
}

function cutOff(source: Source): DiskError {
  return new DiskError("EIO", `gzip: the file ends (after ${source.size} bytes) in the middle of a header or trailer`);
}
