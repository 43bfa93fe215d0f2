// Decoding deflate (RFC 1951) such that one can stop anywhere and go on from there later, or a second time: what zlib does not offer to Node.

import { DiskError } from "../../contract/error.ts";
import {
  BASE,
  CODE_BITS,
  codeSymbols,
  DISTANCE_BITS,
  distanceSymbols,
  END,
  fillTable,
  LENGTH,
  LITERAL,
  LITERAL_BITS,
  LONGER,
  literalSymbols,
  newTable,
} from "./huffman.ts";
import { MARGIN, type Source } from "./source.ts";

/** How far back deflate refers. */
export const WINDOW: number = 32 * 1024;
/** Bytes that are decoded before somebody has to take them. */
export const CHUNK: number = 128 * 1024;
const LONGEST_MATCH = 258;

const codeOrder: readonly number[] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** How far a block has been decoded. */
export type BlockState =
  /** The next block's header comes next. */
  | { readonly kind: "header" }
  /** The last block has ended. */
  | { readonly kind: "end" }
  /** Some of a stored block's bytes are left. */
  | { readonly kind: "stored"; readonly left: number; readonly final: boolean }
  /** In the middle of a block with codes, whose header starts at this bit. */
  | { readonly kind: "codes"; readonly header: number };

/** Why decoding stopped. */
export type Stop = "full" | "input" | "end";

/** Decodes one deflate stream after the other. */
export class Inflater {
  readonly #source: Source;
  /** What was decoded: up to WINDOW bytes that matches may refer to, then the bytes that nobody has taken yet. */
  readonly out: Uint8Array = new Uint8Array(WINDOW + CHUNK + LONGEST_MATCH);
  /** Index in `out` behind the last byte. */
  at: number = WINDOW;
  /** Index in `out` of the first byte of this stream. */
  #low: number = WINDOW;
  #bits = 0;
  #count = 0;
  #state: "header" | "stored" | "codes" | "end" = "header";
  #final = false;
  #left = 0;
  #header = 0;
  readonly #literals: Int32Array = newTable();
  readonly #distances: Int32Array = newTable();
  readonly #codes: Int32Array = newTable();
  readonly #lengths: Uint8Array = new Uint8Array(288 + 32);
  #fixed = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Bits from the start of the disk to what comes next. */
  get bit(): number {
    return this.#source.position * 8 - this.#count;
  }

  /** Where it is in a block. */
  get state(): BlockState {
    if (this.#state === "stored") return { kind: "stored", left: this.#left, final: this.#final };
    if (this.#state === "codes") return { kind: "codes", header: this.#header };
    return { kind: this.#final ? "end" : "header" };
  }

  /** What the bytes that follow may refer to, copied. */
  window(): Uint8Array {
    return this.out.slice(Math.max(this.#low, this.at - WINDOW), this.at);
  }

  /** Starts with a new stream at the source's next byte. */
  begin(): void {
    this.#bits = 0;
    this.#count = 0;
    this.#state = "header";
    this.#final = false;
    this.#low = this.at;
  }

  /** Goes on where another has stopped, with nothing taken. */
  async resume(bit: number, state: BlockState, window: Uint8Array): Promise<void> {
    this.begin();
    this.at = WINDOW;
    this.#low = WINDOW - window.length;
    this.out.set(window, this.#low);
    if (state.kind === "codes") {
      await this.#seek(state.header);
      this.#readHeader();
    }
    await this.#seek(bit);
    if (state.kind === "end") this.#state = "end";
    if (state.kind !== "stored") return;
    this.#state = "stored";
    this.#left = state.left;
    this.#final = state.final;
  }

  /** All that was decoded has been taken: makes room for more. */
  taken(): void {
    const gone = this.at - WINDOW;
    this.out.copyWithin(0, gone, this.at);
    this.#low = Math.max(0, this.#low - gone);
    this.at = WINDOW;
  }

  /**
   * Decodes until there is a chunk (`full`), the source is to be filled (`input`), or the stream ends; then the source is at the byte behind it.
   *
   * @throws DiskError EIO when the stream is damaged or cut off
   */
  decode(): Stop {
    const source = this.#source;
    for (;;) {
      if (this.#state === "end") return this.#finish();
      if (this.at >= WINDOW + CHUNK) return "full";
      if (source.left < MARGIN && !source.last) return "input";
      this.#checkNotCut();
      if (this.#state === "header") this.#readHeader();
      else if (this.#state === "stored") this.#copyStored();
      else this.#decodeCodes();
    }
  }

  async #seek(bit: number): Promise<void> {
    const source = this.#source;
    source.seek(Math.floor(bit / 8));
    const filling = source.fill();
    if (filling !== undefined) await filling;
    const skip = bit % 8;
    this.#bits = skip === 0 ? 0 : (source.bytes[source.at++] as number) >>> skip;
    this.#count = skip === 0 ? 0 : 8 - skip;
  }

  /** The source goes back to the byte behind the stream. */
  #finish(): Stop {
    this.#source.at -= this.#count >> 3;
    this.#bits = 0;
    this.#count = 0;
    this.#checkNotCut();
    return "end";
  }

  #checkNotCut(): void {
    const { at, end, last, size } = this.#source;
    if (last && at - (this.#count >> 3) > end)
      throw new DiskError("EIO", `gzip: the file ends (after ${size} bytes) in the middle of its data`);
  }

  #damaged(what: string): DiskError {
    // Behind the end of the file zeroes are read, which look like damage.
    this.#checkNotCut();
    return new DiskError("EIO", `gzip: the data is damaged at byte ${Math.floor(this.bit / 8)}: ${what}`);
  }

  #take(bits: number): number {
    while (this.#count < bits) {
      this.#bits |= (this.#source.bytes[this.#source.at++] as number) << this.#count;
      this.#count += 8;
    }
    const value = this.#bits & ((1 << bits) - 1);
    this.#bits >>>= bits;
    this.#count -= bits;
    return value;
  }

  #readHeader(): void {
    if (this.#final) {
      this.#state = "end";
      return;
    }
    this.#header = this.bit;
    this.#final = this.#take(1) === 1;
    switch (this.#take(2)) {
      case 0:
        return this.#readStored();
      case 1:
        this.#readFixed();
        break;
      case 2:
        this.#readDynamic();
        break;
      default:
        throw this.#damaged("there is no such kind of block");
    }
    this.#state = "codes";
  }

  #readStored(): void {
    this.#take(this.#count & 7);
    const length = this.#take(16);
    if (this.#take(16) !== (length ^ 0xffff)) throw this.#damaged("the length of a stored block is not confirmed");
    this.#state = "stored";
    this.#left = length;
  }

  #readFixed(): void {
    if (this.#fixed) return;
    const lengths = this.#lengths;
    lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288).fill(5, 288, 320);
    fillTable(this.#literals, LITERAL_BITS, literalSymbols, lengths, 0, 288, false);
    fillTable(this.#distances, DISTANCE_BITS, distanceSymbols, lengths, 288, 32, false);
    this.#fixed = true;
  }

  #readDynamic(): void {
    this.#fixed = false;
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const codes = this.#take(4) + 4;
    if (literals > 286 || distances > 30) throw this.#damaged("a block has too many codes");
    const lengths = this.#lengths;
    lengths.fill(0, 0, 19);
    for (let i = 0; i < codes; i++) lengths[codeOrder[i] as number] = this.#take(3);
    if (!fillTable(this.#codes, CODE_BITS, codeSymbols, lengths, 0, 19, false)) throw this.#damaged("a block's code lengths are no code");
    const total = literals + distances;
    for (let i = 0; i < total; ) {
      while (this.#count < CODE_BITS) {
        this.#bits |= (this.#source.bytes[this.#source.at++] as number) << this.#count;
        this.#count += 8;
      }
      const entry = this.#codes[this.#bits & ((1 << CODE_BITS) - 1)] as number;
      if (entry === 0) throw this.#damaged("a block's code lengths are no code");
      this.#take(entry & LENGTH);
      const symbol = entry >>> 16;
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw this.#damaged("a block repeats a code length before there is one");
      const value = symbol === 16 ? (lengths[i - 1] as number) : 0;
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + times > total) throw this.#damaged("a block has too many code lengths");
      lengths.fill(value, i, i + times);
      i += times;
    }
    if (lengths[256] === 0) throw this.#damaged("a block has no code for its end");
    if (!fillTable(this.#literals, LITERAL_BITS, literalSymbols, lengths, 0, literals, true))
      throw this.#damaged("the literals of a block have no code");
    if (!fillTable(this.#distances, DISTANCE_BITS, distanceSymbols, lengths, literals, distances, true))
      throw this.#damaged("the distances of a block have no code");
  }

  #copyStored(): void {
    const source = this.#source;
    // Whole bytes that were taken into the bit buffer come first.
    source.at -= this.#count >> 3;
    this.#bits = 0;
    this.#count = 0;
    const count = Math.min(this.#left, WINDOW + CHUNK - this.at, source.end - source.at);
    if (count <= 0 && this.#left > 0) throw this.#damaged("a stored block is cut off");
    this.out.set(source.bytes.subarray(source.at, source.at + count), this.at);
    source.at += count;
    this.at += count;
    this.#left -= count;
    if (this.#left === 0) this.#state = "header";
  }

  /** The loop that all the time goes into: 2 to 4 ns a byte. What it works on is in local variables for that. */
  #decodeCodes(): void {
    const source = this.#source;
    const { bytes } = source;
    const { out } = this;
    const literals = this.#literals;
    const distances = this.#distances;
    const low = this.#low;
    // A step takes no more than 8 bytes of input; behind the end of the file there are zeroes.
    const stop = source.last ? source.end + 8 : source.end - 16;
    const limit = WINDOW + CHUNK;
    let { at } = source;
    let bits = this.#bits;
    let count = this.#count;
    let to = this.at;
    let wrong: string | undefined;
    while (to < limit && at < stop) {
      if (count < 20) {
        if (count <= 16) {
          bits |= ((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) << count;
          at += 2;
          count += 16;
        }
        if (count < 20) {
          bits |= (bytes[at++] as number) << count;
          count += 8;
        }
      }
      let entry = literals[bits & ((1 << LITERAL_BITS) - 1)] as number;
      if ((entry & LONGER) !== 0) {
        bits >>>= LITERAL_BITS;
        count -= LITERAL_BITS;
        entry = literals[(entry >>> 16) + (bits & ((1 << ((entry >>> 4) & 15)) - 1))] as number;
      }
      bits >>>= entry & LENGTH;
      count -= entry & LENGTH;
      if ((entry & LITERAL) !== 0) {
        out[to++] = entry >>> 16;
        // Literals come in runs, and a code of the first table always fits once more.
        entry = literals[bits & ((1 << LITERAL_BITS) - 1)] as number;
        if (count < LITERAL_BITS || (entry & LITERAL) === 0) continue;
        bits >>>= entry & LENGTH;
        count -= entry & LENGTH;
        out[to++] = entry >>> 16;
        continue;
      }
      if ((entry & BASE) === 0) {
        if ((entry & END) !== 0) this.#state = "header";
        else wrong = "there is no such code";
        break;
      }
      let extra = (entry >>> 4) & 15;
      const length = (entry >>> 16) + (bits & ((1 << extra) - 1));
      bits >>>= extra;
      count -= extra;
      if (count <= 16) {
        bits |= ((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) << count;
        at += 2;
        count += 16;
      }
      entry = distances[bits & ((1 << DISTANCE_BITS) - 1)] as number;
      if ((entry & LONGER) !== 0) {
        bits >>>= DISTANCE_BITS;
        count -= DISTANCE_BITS;
        entry = distances[(entry >>> 16) + (bits & ((1 << ((entry >>> 4) & 15)) - 1))] as number;
      }
      bits >>>= entry & LENGTH;
      count -= entry & LENGTH;
      extra = (entry >>> 4) & 15;
      while (count < extra) {
        bits |= (bytes[at++] as number) << count;
        count += 8;
      }
      const distance = (entry >>> 16) + (bits & ((1 << extra) - 1));
      bits >>>= extra;
      count -= extra;
      if (distance === 0 || distance > to - low) {
        wrong = distance === 0 ? "there is no such distance" : "it refers to what comes before the start";
        break;
      }
      const end = to + length;
      if (distance === 1 && length > 32) out.fill(out[to - 1] as number, to, end);
      else for (let from = to - distance, i = to; i < end; ) out[i++] = out[from++] as number;
      to = end;
    }
    source.at = at;
    this.#bits = bits | 0;
    this.#count = count;
    this.at = to;
    if (wrong !== undefined) throw this.#damaged(wrong);
  }
}
