// The header of a frame: RFC 8878, section 3.1.1.1.

import { FormatError } from "./format-error.ts";

/** What a frame begins with. */
export const MAGIC = 0xfd2fb528;
/** What a skippable frame begins with, but for the last four bits: section 3.1.2. */
export const SKIPPABLE = 0x184d2a50;
/** The longest header. */
export const LONGEST_HEADER = 18;

/** What a frame's header says. */
export interface FrameHeader {
  /** Bytes of the header itself. */
  readonly length: number;
  /** Bytes of memory that decompressing it takes. */
  readonly window: number;
  /** Bytes of what it holds, where it says. */
  readonly size?: number;
  /** Whether a checksum of the content follows the last block. */
  readonly checksum: boolean;
}

/** Where in a header its descriptor is, */
export const DESCRIPTOR = 4;
/** and the bit that says that there is a checksum. */
export const CHECKSUM_FLAG = 0x04;

/** Reads a header; `bytes` begin with the magic number. */
export function parseFrameHeader(bytes: Uint8Array, at: number): FrameHeader {
  const cut = (): FormatError => new FormatError(`it ends in the middle of the frame at byte ${at}`);
  const [descriptor] = bytes.subarray(DESCRIPTOR);
  if (descriptor === undefined) throw cut();
  if ((descriptor & 0x08) !== 0)
    throw new FormatError(`the frame at byte ${at} uses a bit that is not defined: it may need a newer version`);
  const single = (descriptor & 0x20) !== 0;
  const dictionaryLength = [0, 1, 2, 4][descriptor & 3] as number;
  const sizeLength = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const windowAt = DESCRIPTOR + 1;
  const dictionaryAt = windowAt + (single ? 0 : 1);
  const sizeAt = dictionaryAt + dictionaryLength;
  const length = sizeAt + sizeLength;
  if (bytes.length < length) throw cut();
  if (bytes.subarray(dictionaryAt, sizeAt).some((byte) => byte !== 0)) {
    throw new FormatError(`the frame at byte ${at} was made with a dictionary, and there is none here`);
  }
  const number = littleEndian(bytes, sizeAt, sizeLength);
  const size = sizeLength === 2 ? number + 256 : number;
  if (size > Number.MAX_SAFE_INTEGER) throw new FormatError(`the frame at byte ${at} is to hold ${size} bytes, more than any disk`);
  const exponent = (bytes[windowAt] as number) >> 3;
  const mantissa = (bytes[windowAt] as number) & 7;
  const window = single ? size : 2 ** (10 + exponent) * (1 + mantissa / 8);
  return { length, window, checksum: (descriptor & CHECKSUM_FLAG) !== 0, ...(sizeLength > 0 && { size }) };
}

/** A number of up to eight bytes, the lowest first. */
export function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i -= 1) value = value * 256 + (bytes[at + i] as number);
  return value;
}
