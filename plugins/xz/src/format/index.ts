// The index of a stream: how long each block is, compressed and not. Section 4 of "The .xz File Format".

import { checkCrc32, Fields, FormatError, roundUp } from "./fields.ts";

/** The smallest block there can be: header, end marker of LZMA2 and padding. */
const SMALLEST_BLOCK = 9;
/**
 * No LZMA data becomes more than about 7100 times as large: a match of at most 273 bytes takes 14 decisions, none of which costs less than 0.022 bits.
 * An index that promises more is a lie.
 */
const LARGEST_RATIO = 8192;
/**
 * And none takes more than four times what it becomes, even as chunks of a single byte each, beside header and check. This bounds what is read of the
 * file for a block.
 */
const largestPacked = (plain: number): number => 4 * plain + 8192;

/** The blocks of one stream, in order. */
export interface StreamIndex {
  /** Bytes of each, without padding: header, compressed data and check. */
  readonly unpadded: readonly number[];
  /** Bytes of what each decompresses to. */
  readonly uncompressed: readonly number[];
  /** Bytes of all of them, with padding. */
  readonly total: number;
}

/** Reads an index, given whole. */
export function parseIndex(bytes: Uint8Array): StreamIndex {
  const what = "the index of a stream";
  if (bytes[0] !== 0) throw new FormatError(`${what} does not begin as it should`);
  const end = bytes.length - 4;
  checkCrc32(bytes, 0, end, end, what);
  const fields = new Fields(bytes, what, 1, end);
  const count = fields.number();
  // Each record takes two bytes at least, so that a count that is too high ends here and not in the memory.
  if (count > fields.left / 2) throw new FormatError(`${what} has fewer blocks than it says`);
  const unpadded: number[] = [];
  const uncompressed: number[] = [];
  let total = 0;
  let sum = 0;
  for (let i = 0; i < count; i += 1) {
    const packed = fields.number();
    const plain = fields.number();
    if (packed < SMALLEST_BLOCK) throw new FormatError(`${what} has a block of ${packed} bytes, which is too short for one`);
    if (plain > packed * LARGEST_RATIO) {
      throw new FormatError(`${what} has a block of ${packed} bytes that is to become ${plain}: no such data do`);
    }
    if (packed > largestPacked(plain)) throw new FormatError(`${what} has a block of ${packed} bytes that is to become ${plain}`);
    unpadded.push(packed);
    uncompressed.push(plain);
    total += roundUp(packed);
    sum += plain;
    if (Math.max(total, sum) > Number.MAX_SAFE_INTEGER) throw new FormatError(`${what} has more bytes than any disk`);
  }
  if (fields.left > 3) throw new FormatError(`${what} is longer than it needs to be`);
  fields.padding();
  return { unpadded, uncompressed, total };
}
