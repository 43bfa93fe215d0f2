// The first and the last twelve bytes of a stream: sections 2.1.1 and 2.1.2 of "The .xz File Format".

import { checkCrc32, FormatError, littleEndian } from "./fields.ts";

/** Bytes of a stream's header, and of its footer. */
export const STREAM_HEADER = 12;
/** What a stream begins with. */
const MAGIC: readonly number[] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
/** What it ends with: YZ. */
const FOOTER_MAGIC: readonly number[] = [0x59, 0x5a];

/** How the content of blocks is checked, and how many bytes that takes: section 2.1.1.2. */
export const checks = {
  none: { id: 0x00, length: 0 },
  crc32: { id: 0x01, length: 4 },
  crc64: { id: 0x04, length: 8 },
  sha256: { id: 0x0a, length: 32 },
} as const;

/** The name of a kind of check. */
export type Check = keyof typeof checks;

/** What a stream's header says. */
export interface StreamHeader {
  readonly check: Check;
}

/** What its footer says. */
export interface StreamFooter extends StreamHeader {
  /** Bytes of the index, which lies before the footer. */
  readonly indexLength: number;
}

/** Whether a file begins as xz files do. */
export function isXz(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

/** Reads a stream's header. */
export function parseStreamHeader(bytes: Uint8Array): StreamHeader {
  if (!isXz(bytes)) throw new FormatError("a stream does not begin where its index says, or does not begin as streams do");
  checkCrc32(bytes, 6, 8, 8, "the header of a stream");
  return { check: parseFlags(bytes, 6) };
}

/** Reads a stream's footer. */
export function parseStreamFooter(bytes: Uint8Array): StreamFooter {
  if (!FOOTER_MAGIC.every((byte, index) => bytes[10 + index] === byte)) {
    throw new FormatError("it does not end as xz files do: it was cut off, or something was added to it");
  }
  checkCrc32(bytes, 4, 10, 0, "the footer of a stream");
  return { indexLength: (littleEndian(bytes, 4) + 1) * 4, check: parseFlags(bytes, 8) };
}

function parseFlags(bytes: Uint8Array, at: number): Check {
  const [reserved = 0, id = 0] = bytes.subarray(at, at + 2);
  if (reserved !== 0 || id > 0x0f) throw new FormatError("a stream uses flags that are not defined: it may need a newer version");
  for (const [check, { id: known }] of Object.entries(checks)) if (id === known) return check as Check;
  throw new FormatError(`a stream is checked in way ${id}, which is not known: none, CRC32, CRC64 and SHA-256 are`);
}
