// Headers of tar archives: those of POSIX (ustar, pax: IEEE Std 1003.1, pax, "ustar Interchange Format") and of GNU tar.

import { DiskError } from "../../contract/error.ts";

/** Everything in an archive starts at a multiple of this, and headers are as long. */
export const BLOCK = 512;

/** A header as it stands in the archive; what other headers say of it is not in here. */
export interface Header {
  readonly name: string;
  /** Bytes of what follows the header. */
  readonly size: bigint;
  /** One letter: `0` for a file, `L`, `x` and others for what belongs to the next header. */
  readonly type: string;
  readonly linkName: string;
  /** The list of a sparse file's pieces goes on in further blocks. */
  readonly continues: boolean;
}

/**
 * Reads a header.
 *
 * @param at - where it is, for errors
 * @returns undefined for a block of zeroes, which ends an archive
 * @throws DiskError EIO when it is none
 */
export function readHeader(block: Buffer, at: bigint): Header | undefined {
  const wrong = (what: string): DiskError => new DiskError("EIO", `tar: what stands at byte ${at} is no header of a tar archive: ${what}`);
  const sum = readOctal(block, 148, 8);
  const { unsigned, signed } = checksums(block);
  if (unsigned === 8 * 32 && sum === 0n) return undefined;
  // Some old programs took the bytes for signed ones.
  if (sum !== BigInt(unsigned) && sum !== BigInt(signed)) throw wrong("its checksum is wrong");
  const size = readNumber(block, 124, 12);
  if (size === undefined) throw wrong("its size is no number");
  const posix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = posix ? readText(block, 345, 155) : "";
  const name = readText(block, 0, 100);
  const type = block.toString("latin1", 156, 157);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    size: hasContent(type) ? size : 0n,
    type: type === "\0" ? "0" : type,
    linkName: readText(block, 157, 100),
    continues: type === "S" && block[482] !== 0,
  };
}

/** Links, devices, folders and pipes have nothing after their header, whatever their size says. */
export function hasContent(type: string): boolean {
  return !"123456".includes(type);
}

function checksums(block: Buffer): { unsigned: number; signed: number } {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    // The checksum itself counts as spaces.
    const byte = i >= 148 && i < 156 ? 32 : (block[i] as number);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return { unsigned, signed };
}

/** Octal digits, or with the highest bit set a binary number, as GNU tar writes large ones. */
function readNumber(block: Buffer, start: number, length: number): bigint | undefined {
  const first = block[start] as number;
  if ((first & 0x80) === 0) return readOctal(block, start, length);
  // The second highest bit is the sign.
  if ((first & 0x40) !== 0) return undefined;
  let value = BigInt(first & 0x3f);
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[start + i] as number);
  return value;
}

function readOctal(block: Buffer, start: number, length: number): bigint | undefined {
  const digits = block
    .toString("latin1", start, start + length)
    .replace(/\0.*$/s, "")
    .trim();
  if (digits === "") return 0n;
  return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : undefined;
}

/** A text up to its zero byte, if it has one. */
export function readText(bytes: Buffer, start: number, length: number): string {
  const zero = bytes.indexOf(0, start);
  const end = zero === -1 ? start + length : Math.min(zero, start + length);
  return bytes.toString("utf8", start, end);
}

/**
 * Reads the records of a pax header: `length key=value` and a line feed.
 *
 * @throws DiskError EIO when they are none
 */
export function readRecords(bytes: Buffer, at: bigint): Map<string, string> {
  const records = new Map<string, string>();
  for (let start = 0; start < bytes.length && bytes[start] !== 0; ) {
    const digits = /^([1-9][0-9]{0,9}) /.exec(bytes.toString("latin1", start, start + 12))?.[1];
    const end = start + Number(digits);
    const equals = bytes.indexOf(0x3d, start);
    if (digits === undefined || end > bytes.length || bytes[end - 1] !== 0x0a || equals === -1 || equals >= end) {
      throw new DiskError("EIO", `tar: the extended header at byte ${at} is damaged`);
    }
    records.set(bytes.toString("utf8", start + digits.length + 1, equals), bytes.toString("utf8", equals + 1, end - 1));
    start = end;
  }
  return records;
}
