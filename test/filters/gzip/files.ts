// Gzip files as gzip, pigz and others make them, and as nobody should.

import { constants, crc32, deflateRawSync, gzipSync } from "node:zlib";
import { noise } from "../../fixtures/bytes.ts";

/** Bytes that pack as those of disks do: text, zeroes, noise and repetitions of many lengths and distances. */
export function mixture(length: number): Buffer {
  const parts: Buffer[] = [];
  const random = noise(length, 7);
  let size = 0;
  for (let i = 0; size < length; i++) {
    const at = (i * 4099) % Math.max(1, length - 4096);
    const kind = (random[i % random.length] ?? 0) % 5;
    const part =
      kind === 0
        ? random.subarray(at, at + 1 + (i % 3000))
        : kind === 1
          ? Buffer.alloc(1 + ((i * 977) % 9000))
          : kind === 2
            ? Buffer.from(`line ${i}: the quick brown fox jumps over ${i * 7919} lazy dogs\n`.repeat(1 + (i % 20)))
            : kind === 3
              ? Buffer.alloc(1 + (i % 700), random.subarray(at, at + 1 + (i % 40)))
              : Buffer.from(random.subarray(at, at + 500).toString("base64"));
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** Which fields of a header are there. */
export interface Fields {
  readonly extra?: Buffer;
  readonly name?: string;
  readonly comment?: string;
  readonly headerCrc?: boolean;
}

/** A member with these fields in its header. */
export function member(content: Buffer, fields: Fields = {}): Buffer {
  const { extra, name, comment, headerCrc = false } = fields;
  const flags = (headerCrc ? 2 : 0) | (extra ? 4 : 0) | (name !== undefined ? 8 : 0) | (comment !== undefined ? 16 : 0);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(extra?.length ?? 0);
  const header = Buffer.concat([
    Buffer.of(0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255),
    ...(extra ? [length, extra] : []),
    ...(name !== undefined ? [Buffer.from(`${name}\0`)] : []),
    ...(comment !== undefined ? [Buffer.from(`${comment}\0`)] : []),
  ]);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc32(header) & 0xffff);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(content), 0);
  trailer.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, ...(headerCrc ? [checksum] : []), deflateRawSync(content), trailer]);
}

/** The same content packed in many ways. */
export function packings(content: Buffer): Record<string, Buffer> {
  const middle = Math.floor(content.length / 3);
  return {
    "level 1": gzipSync(content, { level: 1 }),
    "level 6": gzipSync(content),
    "level 9": gzipSync(content, { level: 9 }),
    "stored blocks": gzipSync(content, { level: 0 }),
    "fixed codes": gzipSync(content, { strategy: constants.Z_FIXED }),
    "no matches": gzipSync(content, { strategy: constants.Z_HUFFMAN_ONLY }),
    "matches of the byte before": gzipSync(content, { strategy: constants.Z_RLE }),
    "a small window": gzipSync(content, { windowBits: 9, memLevel: 1 }),
    "large blocks": gzipSync(content, { memLevel: 9, level: 9 }),
    "two members": Buffer.concat([gzipSync(content.subarray(0, middle)), gzipSync(content.subarray(middle))]),
    "empty members between": Buffer.concat([member(Buffer.alloc(0)), gzipSync(content), member(Buffer.alloc(0)), member(Buffer.alloc(0))]),
    "every field": member(content, { extra: noise(5000), name: "disk.img", comment: "a comment".repeat(400), headerCrc: true }),
    "zeroes behind": Buffer.concat([gzipSync(content), Buffer.alloc(1000)]),
    "garbage behind": Buffer.concat([gzipSync(content), Buffer.from("garbage")]),
    "one byte of garbage": Buffer.concat([gzipSync(content), Buffer.of(0x1f)]),
  };
}
