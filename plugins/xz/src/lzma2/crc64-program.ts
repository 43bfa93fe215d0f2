// CRC-64 as ECMA-182 has it and xz uses it, as a WebAssembly function that takes eight bytes at a time.

import {
  add,
  and,
  branchWhen,
  type Code,
  type Func,
  get,
  I32,
  I64,
  int,
  type Local,
  less,
  load8,
  load64,
  loop,
  set,
  shiftLeft,
  shiftRight,
  shiftRight64,
  subtract,
  toI32,
  toI64,
  type Value,
  when,
  xor,
  xor64,
} from "./assembler.ts";

/** Where in memory the tables are: eight of 256 entries of 8 bytes. */
export const TABLES = 40960;
/** Bytes that they take. */
export const TABLES_LENGTH: number = 8 * 256 * 8;

const POLYNOMIAL = 0xc96c5795d7870f42n;

/** The tables: the first is that of single bytes; each further one says what its byte becomes once another byte has passed. */
export function crc64Tables(): BigUint64Array<ArrayBuffer> {
  const tables = new BigUint64Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ ((crc & 1n) === 0n ? 0n : POLYNOMIAL);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i += 1) {
    const before = tables[i - 256] as bigint;
    tables[i] = (before >> 8n) ^ (tables[Number(before & 0xffn)] as bigint);
  }
  return tables;
}

/** `crc64(start, end)`: the checksum of a piece of memory. */
export const crc64: Func = {
  name: "crc64",
  parameters: [I32, I32],
  result: I64,
  body([start, end]: readonly Local[], local) {
    const at = start as Local;
    const stop = end as Local;
    const crc = local(I64);
    const word = local(I64);
    const low = local();
    const high = local();
    const eights = { name: "eights" };
    const ones = { name: "ones" };
    const entry = (table: number, byte: Value): Code => load64(shiftLeft(and(byte, 0xff), 3), TABLES + table * 2048);
    const all = (first: Code, ...others: readonly Code[]): Code => others.reduce((sum, other) => xor64(sum, other), first);
    const inverted = (value: Local): Code => xor64(value, notLong);
    return [
      set(crc, notLong),
      when(less(at, and(stop, -8)), [
        loop(eights, [
          when(less(7, subtract(stop, at)), [
            set(word, xor64(crc, load64(at))),
            set(low, toI32(word)),
            set(high, toI32(shiftRight64(word, toI64(int(32))))),
            set(
              crc,
              all(
                entry(7, low),
                entry(6, shiftRight(low, 8)),
                entry(5, shiftRight(low, 16)),
                entry(4, shiftRight(low, 24)),
                entry(3, high),
                entry(2, shiftRight(high, 8)),
                entry(1, shiftRight(high, 16)),
                entry(0, shiftRight(high, 24)),
              ),
            ),
            set(at, add(at, 8)),
            branchWhen(eights, less(at, stop)),
          ]),
        ]),
      ]),
      when(less(at, stop), [
        loop(ones, [
          set(crc, xor64(entry(0, xor(toI32(get(crc)), load8(at))), shiftRight64(crc, toI64(int(8))))),
          set(at, add(at, 1)),
          branchWhen(ones, less(at, stop)),
        ]),
      ]),
      inverted(crc),
    ];
  },
};

/** All ones. */
const notLong: Code = xor64(toI64(int(0)), (into) => void into.bytes.push(0x42, 0x7f));
