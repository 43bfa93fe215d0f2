// Huffman codes of deflate (RFC 1951, section 3.2.2) as tables to decode with.

/** An entry's lowest four bits: how many bits the code has; of a long code, how many beyond those of the first table. 0: there is no such code. */
export const LENGTH = 15;
/** The value, in the upper half, is a literal byte. */
export const LITERAL = 0x100;
/** The value is the least length or distance, and bits 4 to 7 say how many extra bits follow. */
export const BASE = 0x200;
/** The block ends. */
export const END = 0x400;
/** The value is where the table for longer codes starts, and bits 4 to 7 say how many bits index it. */
export const LONGER = 0x800;

/** Bits that index the first table of literals and lengths, */
export const LITERAL_BITS = 10;
/** of distances, */
export const DISTANCE_BITS = 9;
/** and of code lengths. */
export const CODE_BITS = 7;

/** Long enough for every complete code with these first tables (zlib's `enough` finds 1332 and 592). */
const TABLE = 2048;

/** A place for a table; it is used again for each block. */
export function newTable(): Int32Array {
  return new Int32Array(TABLE);
}

const lengthBases: readonly number[] = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthExtra: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

/** What each symbol of literals and lengths stands for; 286 and 287 stand for nothing. */
export const literalSymbols: Int32Array = Int32Array.from({ length: 288 }, (_, symbol) => {
  if (symbol < 256) return (symbol << 16) | LITERAL;
  if (symbol === 256) return END;
  const base = lengthBases[symbol - 257];
  return base === undefined ? 0 : (base << 16) | BASE | ((lengthExtra[symbol - 257] as number) << 4);
});

/** What each symbol of distances stands for; 30 and 31 stand for nothing. */
export const distanceSymbols: Int32Array = Int32Array.from({ length: 32 }, (_, symbol) => {
  if (symbol >= 30) return 0;
  const extra = symbol < 4 ? 0 : (symbol >> 1) - 1;
  const base = symbol < 4 ? symbol + 1 : ((2 + (symbol & 1)) << extra) + 1;
  return (base << 16) | BASE | (extra << 4);
});

/** Code lengths stand for themselves. */
export const codeSymbols: Int32Array = Int32Array.from({ length: 19 }, (_, symbol) => (symbol << 16) | LITERAL);

const counts: Int32Array = new Int32Array(16);
const nexts: Int32Array = new Int32Array(16);
const longest: Uint8Array = new Uint8Array(1 << LITERAL_BITS);

/**
 * Fills a table.
 *
 * @param lengths - the length of each symbol's code in bits, from `start` on; 0 for a symbol that has none
 * @param bits - how many index the first table
 * @param single - a code of one symbol, with one bit, need not be complete
 * @returns false when the lengths are those of no code
 */
export function fillTable(
  table: Int32Array,
  bits: number,
  symbols: Int32Array,
  lengths: Uint8Array,
  start: number,
  count: number,
  single: boolean,
): boolean {
  counts.fill(0);
  for (let i = 0; i < count; i++) (counts[lengths[start + i] as number] as number)++;
  counts[0] = 0;
  let max = 0;
  let left = 1;
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    const of = counts[length] as number;
    code = (code + (counts[length - 1] as number)) << 1;
    nexts[length] = code;
    left = left * 2 - of;
    if (left < 0) return false;
    if (of > 0) max = length;
  }
  if (left > 0 && max > 0 && !(single && max === 1)) return false;
  table.fill(0, 0, 1 << bits);
  if (max > bits) if (!reserveLonger(table, bits, lengths, start, count)) return false;
  for (let symbol = 0; symbol < count; symbol++) {
    const length = lengths[start + symbol] as number;
    if (length === 0) continue;
    const entry = symbols[symbol] as number;
    const reversed = reverse((nexts[length] as number)++, length);
    // A symbol that stands for nothing is as a code that is not there.
    if (length <= bits) {
      for (let i = reversed; i < 1 << bits; i += 1 << length) table[i] = entry === 0 ? 0 : entry | length;
      continue;
    }
    const pointer = table[reversed & ((1 << bits) - 1)] as number;
    const from = pointer >>> 16;
    const size = 1 << ((pointer >>> 4) & 15);
    const rest = length - bits;
    for (let i = reversed >>> bits; i < size; i += 1 << rest) table[from + i] = entry === 0 ? 0 : entry | rest;
  }
  return true;
}

/** Sets aside a table for each beginning that longer codes have in common, as large as the longest of them wants it. */
function reserveLonger(table: Int32Array, bits: number, lengths: Uint8Array, start: number, count: number): boolean {
  longest.fill(0, 0, 1 << bits);
  const at = nexts.slice();
  for (let symbol = 0; symbol < count; symbol++) {
    const length = lengths[start + symbol] as number;
    if (length === 0) continue;
    const code = (at[length] as number)++;
    if (length <= bits) continue;
    const beginning = reverse(code, length) & ((1 << bits) - 1);
    if (length - bits > (longest[beginning] as number)) longest[beginning] = length - bits;
  }
  let free = 1 << bits;
  for (let beginning = 0; beginning < 1 << bits; beginning++) {
    const rest = longest[beginning] as number;
    if (rest === 0) continue;
    if (free + (1 << rest) > table.length) return false;
    // A pointer takes the whole of the first table's bits.
    table[beginning] = (free << 16) | LONGER | (rest << 4) | bits;
    table.fill(0, free, free + (1 << rest));
    free += 1 << rest;
  }
  return true;
}

function reverse(code: number, length: number): number {
  let result = 0;
  for (let i = 0; i < length; i++) result |= ((code >>> i) & 1) << (length - 1 - i);
  return result;
}
