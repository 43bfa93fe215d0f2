// Reading the fields of xz headers and indexes: bytes and multibyte integers, section 1.2 of "The .xz File Format".

import { crc32 } from "node:zlib";

/** A file that is not what the format allows; the text says where and why. */
export class FormatError extends Error {}

/** Reads fields one after the other. */
export class Fields {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at: number;
  readonly #end: number;

  /** @param what - what the bytes are, for the text of errors */
  constructor(bytes: Uint8Array, what: string, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#what = what;
    this.#at = start;
    this.#end = end;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    if (this.#at === this.#end) throw new FormatError(`${this.#what} ends in the middle of a field`);
    return this.#bytes[this.#at++] as number;
  }

  /** A number of up to 63 bits in up to nine bytes, seven bits in each, the lowest first. None of a file that can exist is larger than 2^53. */
  number(): number {
    let value = 0;
    for (let index = 0; index < 9; index += 1) {
      const byte = this.byte();
      if (byte === 0 && index > 0) throw new FormatError(`${this.#what} has a number that is longer than it needs to be`);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if ((byte & 0x80) === 0) {
        if (value > Number.MAX_SAFE_INTEGER) throw new FormatError(`${this.#what} has a number that is larger than any file`);
        return value;
      }
    }
    throw new FormatError(`${this.#what} has a number that does not end`);
  }

  /** Everything that is left must be 0. */
  padding(): void {
    while (this.left > 0) if (this.byte() !== 0) throw new FormatError(`${this.#what} has padding that is not zero`);
  }
}

/** Checks the CRC-32 that stands at `at`, little endian, of the bytes from `start` to `end`. */
export function checkCrc32(bytes: Uint8Array, start: number, end: number, at: number, what: string): void {
  if (crc32(bytes.subarray(start, end)) !== littleEndian(bytes, at)) throw new FormatError(`${what} is damaged: its checksum is wrong`);
}

/** Four bytes, the lowest first. */
export function littleEndian(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** The next multiple of four. */
export function roundUp(length: number): number {
  return Math.ceil(length / 4) * 4;
}
