// LZMA2 decoding: chunks are taken apart here, and decoded by WebAssembly straight into the block that they make up, which is its own dictionary.

import { assemble } from "./assembler.ts";
import { crc64, crc64Tables, TABLES, TABLES_LENGTH } from "./crc64-program.ts";
import { lzma, outcome, PROBABILITIES, PROBABILITY_COUNT, STATE } from "./lzma-program.ts";
import { type WasmMemory, webAssembly } from "./web-assembly.ts";

/** Where the output begins; below it are the decoder's own things. */
const OUTPUT: number = TABLES + TABLES_LENGTH + 4096;
/** Bytes beyond the output and the input that may be touched. */
const SLACK = 256;
const WASM_PAGE = 65536;

interface Program {
  lzma(
    input: number,
    inputEnd: number,
    output: number,
    outputEnd: number,
    dictionary: number,
    dictionarySize: number,
    lc: number,
    lp: number,
    pb: number,
  ): number;
  crc64(start: number, end: number): bigint;
}

/** Data that is not what LZMA2 allows. */
export class CorruptError extends Error {}

/** The program, once it was needed: the same for all decoders. */
let compiled: object | undefined;

/** Decodes one block after the other, in memory that is kept from one to the next. */
export class Lzma2Decoder {
  readonly #memory: WasmMemory;
  readonly #program: Program;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor() {
    compiled ??= new webAssembly.Module(assemble([lzma, crc64]));
    this.#memory = new webAssembly.Memory({ initial: Math.ceil((OUTPUT + SLACK) / WASM_PAGE) });
    this.#program = new webAssembly.Instance(compiled, { env: { memory: this.#memory } }).exports as Program;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    new BigUint64Array(this.#memory.buffer, TABLES, TABLES_LENGTH / 8).set(crc64Tables());
  }

  /** Bytes of memory that it holds. */
  get held(): number {
    return this.#bytes.length;
  }

  /**
   * Decodes LZMA2 data.
   *
   * @param input - all of it, its end marker being its last byte
   * @param size - bytes that it must decode to
   * @param dictionarySize - how far back it may refer
   * @param checkGoOn - called between chunks; throws to end the work
   * @returns the bytes, valid until the next call
   * @throws CorruptError when it is no such data
   */
  decode(input: Uint8Array, size: number, dictionarySize: number, checkGoOn: () => void = () => undefined): Uint8Array<ArrayBuffer> {
    const start = OUTPUT + size + SLACK;
    this.#reserve(start + input.length + SLACK);
    const bytes = this.#bytes;
    bytes.set(input, start);
    const probabilities = new Uint16Array(bytes.buffer, PROBABILITIES, PROBABILITY_COUNT);
    const state = new Uint32Array(bytes.buffer, STATE, 5);
    const inputEnd = start + input.length;
    const outputEnd = OUTPUT + size;

    let at = start;
    let output = OUTPUT;
    let dictionary = OUTPUT;
    let lc = 0;
    let lp = 0;
    let pb = 0;
    let needsDictionary = true;
    let needsProperties = true;
    let needsState = true;

    /** The start of the next `count` bytes of input. */
    const take = (count: number): number => {
      if (count > inputEnd - at) throw new CorruptError("the compressed data ends in the middle of a chunk");
      at += count;
      return at - count;
    };
    const byte = (index: number): number => bytes[index] as number;
    const both = (index: number): number => (byte(index) << 8) | byte(index + 1);

    for (;;) {
      checkGoOn();
      const control = byte(take(1));
      if (control === 0) break;
      if (control === 0x01 || control >= 0xe0) {
        dictionary = output;
        needsDictionary = false;
        needsProperties = true;
      } else if (needsDictionary) {
        throw new CorruptError("the compressed data does not begin with an empty dictionary");
      }
      if (control < 0x80) {
        if (control > 0x02) throw new CorruptError(`the compressed data has a chunk of the unknown kind ${control}`);
        const length = both(take(2)) + 1;
        const from = take(length);
        if (length > outputEnd - output) throw new CorruptError("the compressed data makes more bytes than it should");
        bytes.copyWithin(output, from, from + length);
        output += length;
        continue;
      }
      const length = ((control & 0x1f) << 16) + both(take(2)) + 1;
      const compressed = both(take(2)) + 1;
      if (length > outputEnd - output) throw new CorruptError("the compressed data makes more bytes than it should");
      if (control >= 0xc0) {
        const properties = byte(take(1));
        pb = Math.floor(properties / 45);
        lp = Math.floor((properties % 45) / 9);
        lc = properties % 9;
        if (pb > 4 || lc + lp > 4) throw new CorruptError(`the compressed data has the impossible LZMA properties ${properties}`);
        needsProperties = false;
      } else if (needsProperties) {
        throw new CorruptError("the compressed data has a chunk without LZMA properties");
      }
      if (control >= 0xa0) {
        state.fill(0);
        probabilities.fill(1024);
        needsState = false;
      } else if (needsState) {
        throw new CorruptError("the compressed data goes on with a state that it does not have");
      }
      const from = take(compressed);
      if (compressed < 5 || byte(from) !== 0) throw new CorruptError("the compressed data has a chunk that does not begin as LZMA does");
      const to = output + length;
      const result = this.#program.lzma(from, from + compressed, output, to, dictionary, dictionarySize, lc, lp, pb);
      if (result !== outcome.ok) throw new CorruptError(explain(result));
      output = to;
    }
    if (at !== inputEnd) throw new CorruptError("the compressed data goes on after its end");
    if (output !== outputEnd) throw new CorruptError(`the compressed data makes ${output - OUTPUT} bytes, not ${size}`);
    return bytes.subarray(OUTPUT, outputEnd);
  }

  /** The CRC-64 of what {@link Lzma2Decoder.decode} gave, or of part of it. */
  crc64(bytes: Uint8Array): bigint {
    return BigInt.asUintN(64, this.#program.crc64(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  #reserve(length: number): void {
    const more = length - this.#bytes.length;
    if (more <= 0) return;
    this.#memory.grow(Math.ceil(more / WASM_PAGE));
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }
}

function explain(result: number): string {
  if (result === outcome.distance) return "the compressed data refers to bytes from before its dictionary";
  if (result === outcome.length) return "the compressed data has a match that is longer than its chunk";
  return "the compressed data has a chunk that does not end as it should";
}
