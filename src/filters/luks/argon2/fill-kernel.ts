// The part of Argon2 that takes the time: filling a segment of the memory, in WebAssembly with 128-bit vectors. RFC 9106, sections 3.4 to 3.6.

import {
  add64,
  assemble,
  type Code,
  call,
  either,
  get,
  I32,
  I64,
  i32,
  i32Add,
  i32And,
  i32Equal,
  i32Less,
  i32Load,
  i32Mul,
  i32Or,
  i32Remainder,
  i32Shl,
  i32Store,
  i32Sub,
  i32Wrap,
  i64,
  i64Extend,
  i64Load,
  i64Mul,
  i64ShrU,
  load,
  loop,
  mulHigh32,
  mulLow32,
  or,
  set,
  shl64,
  shrU64,
  shuffle,
  shuffle32,
  store,
  V128,
  xor,
} from "../wasm.ts";

/** Bytes of a block. */
export const BLOCK = 1024;

/** Bytes that filling a lane needs beside the memory: a block to work in, what addresses are made of, addresses, and a block of zeroes. */
export const SCRATCH: number = 4 * BLOCK;
const INPUT = BLOCK;
const ADDRESSES = 2 * BLOCK;
const ZEROES = 3 * BLOCK;

/** The functions of the module; addresses are in bytes, the memory begins at 0. */
export interface FillFunctions {
  /** Fills the segment of a lane. `type` is 1 for Argon2i, 2 for Argon2id. `scratch` is {@link SCRATCH} bytes, zero at first. */
  segment(pass: number, slice: number, lane: number, lanes: number, columns: number, passes: number, type: number, scratch: number): void;
  /** Overwrites a range: whole blocks. */
  wipe(from: number, to: number): void;
}

/** Assembles the module, for a shared memory of so many pages. */
export function fillBytes(pages: number): Uint8Array<ArrayBuffer> {
  return assemble({ minimum: pages, shared: pages }, [
    { name: "row", params: [I32], locals: registers, body: permute(16) },
    { name: "column", params: [I32], locals: registers, body: permute(BLOCK / 8) },
    { name: "compress", params: [I32, I32, I32, I32, I32], locals: [I32, V128], body: compress() },
    { name: "segment", params: Array(8).fill(I32), locals: [...Array(11).fill(I32), I64, I64], body: segment() },
    {
      name: "wipe",
      params: [I32, I32],
      locals: [],
      body: loop(i32Less(get(0), get(1)), [store(get(0), xor(load(get(0)), load(get(0)))), set(0, i32Add(get(0), i32(16)))]),
    },
  ]);
}

const ROW = 0;
const COLUMN = 1;
const COMPRESS = 2;

// --- P: the permutation of eight registers of 16 bytes, `stride` apart (section 3.6) ---

/** Eight registers, and two for what is between. */
const registers: readonly number[] = Array(10).fill(V128);
const [A0, A1, B0, B1, C0, C1, D0, D1, T0, T1] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] as const;

function permute(stride: number): Code {
  const all = [A0, A1, B0, B1, C0, C1, D0, D1];
  return [
    all.map((register, index) => set(register, load(get(0), index * stride))),
    quarter(A0, A1, B0, B1, C0, C1, D0, D1),
    // Diagonals: B moves on by one word, C by two, D by three.
    forth(B0, B1),
    back(D0, D1),
    quarter(A0, A1, B0, B1, C1, C0, D0, D1),
    back(B0, B1),
    forth(D0, D1),
    all.map((register, index) => store(get(0), get(register), index * stride)),
  ];
}

/** GB on four columns at once. */
function quarter(a0: number, a1: number, b0: number, b1: number, c0: number, c1: number, d0: number, d1: number): Code {
  return [
    multiplyAdd(a0, a1, b0, b1),
    [set(d0, rotate32(xor(get(d0), get(a0)))), set(d1, rotate32(xor(get(d1), get(a1))))],
    multiplyAdd(c0, c1, d0, d1),
    [set(b0, rotateBytes(xor(get(b0), get(c0)), 3)), set(b1, rotateBytes(xor(get(b1), get(c1)), 3))],
    multiplyAdd(a0, a1, b0, b1),
    [set(d0, rotateBytes(xor(get(d0), get(a0)), 2)), set(d1, rotateBytes(xor(get(d1), get(a1)), 2))],
    multiplyAdd(c0, c1, d0, d1),
    [b0, b1].map((b, index) => [
      set(T0, xor(get(b), get(index === 0 ? c0 : c1))),
      set(b, or(shrU64(get(T0), i32(63)), shl64(get(T0), i32(1)))),
    ]),
  ];
}

/** x += y + 2 * low(x) * low(y), for four words each: their low halves are brought together, as the multiplication takes neighbours. */
function multiplyAdd(x0: number, x1: number, y0: number, y1: number): Code {
  const grow = (x: number, y: number, product: Code): Code => [set(x, add64(add64(get(x), get(y)), shl64(product, i32(1))))];
  return [
    set(T0, shuffle32(get(x0), get(x1), 0, 2, 4, 6)),
    set(T1, shuffle32(get(y0), get(y1), 0, 2, 4, 6)),
    grow(x0, y0, mulLow32(get(T0), get(T1))),
    grow(x1, y1, mulHigh32(get(T0), get(T1))),
  ];
}

function rotate32(value: Code): Code {
  return [set(T0, value), shuffle32(get(T0), get(T0), 1, 0, 3, 2)];
}

/** Rotates each word right by whole bytes. */
function rotateBytes(value: Code, bytes: number): Code {
  const order = Array.from({ length: 16 }, (_, index) => (index & 8) | ((index + bytes) & 7));
  return [set(T0, value), shuffle(get(T0), get(T0), order)];
}

/** Of the words (1, 2), (3, 4) makes (2, 3), (4, 1). */
function forth(x: number, y: number): Code {
  return [set(T0, shuffle32(get(x), get(y), 2, 3, 4, 5)), set(y, shuffle32(get(y), get(x), 2, 3, 4, 5)), set(x, get(T0))];
}

/** Of the words (1, 2), (3, 4) makes (4, 1), (2, 3). */
function back(x: number, y: number): Code {
  return [set(T0, shuffle32(get(y), get(x), 2, 3, 4, 5)), set(y, shuffle32(get(x), get(y), 2, 3, 4, 5)), set(x, get(T0))];
}

// --- G: a new block of two others (section 3.5) ---

function compress(): Code {
  const [previous, reference, out, scratch, add, at, sum] = [get(0), get(1), get(2), get(3), get(4), get(5), get(6)];
  const from = (address: Code): Code => i32Add(address, at);
  const each = (body: Code): Code => [set(5, i32(0)), loop(i32Less(at, i32(BLOCK)), [body, set(5, i32Add(at, i32(16)))])];
  const both = xor(load(from(previous)), load(from(reference)));
  return [
    either(
      add,
      each([set(6, both), store(from(scratch), sum), store(from(out), xor(load(from(out)), sum))]),
      each([set(6, both), store(from(scratch), sum), store(from(out), sum)]),
    ),
    Array.from({ length: 8 }, (_, index) => call(ROW, i32Add(scratch, i32(index * 128)))),
    Array.from({ length: 8 }, (_, index) => call(COLUMN, i32Add(scratch, i32(index * 16)))),
    each(store(from(out), xor(load(from(out)), load(from(scratch))))),
  ];
}

// --- Filling a segment (sections 3.4 and 3.4.1) ---

function segment(): Code {
  const [pass, slice, lane, lanes, columns, passes, type, scratch] = [0, 1, 2, 3, 4, 5, 6, 7].map(get) as [
    Code,
    Code,
    Code,
    Code,
    Code,
    Code,
    Code,
    Code,
  ];
  const [LENGTH, INDEX, INDEPENDENT, FRESH, COL, CURRENT, PREVIOUS, REF_LANE, AREA, START, FIRST] = [
    8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
  ] as const;
  const [J, X] = [19, 20] as const;
  const zero = i32(0);
  const isZero = (value: Code): Code => i32Equal(value, zero);
  const block = (ofLane: Code, column: Code): Code => i32Shl(i32Add(i32Mul(ofLane, columns), column), i32(10));

  const word = (index: number, value: Code): Code => [i32Store(scratch, value, INPUT + index * 8)];
  const prepareAddresses = [
    word(0, pass),
    word(1, lane),
    word(2, slice),
    word(3, i32Mul(lanes, columns)),
    word(4, passes),
    word(5, type),
    word(6, zero),
  ];
  const at = (offset: number): Code => i32Add(scratch, i32(offset));
  const nextAddresses = [
    word(6, i32Add(i32Load(scratch, INPUT + 6 * 8), i32(1))),
    call(COMPRESS, at(ZEROES), at(INPUT), at(ADDRESSES), scratch, zero),
    call(COMPRESS, at(ZEROES), at(ADDRESSES), at(ADDRESSES), scratch, zero),
  ];

  const chooseRandom = either(
    get(INDEPENDENT),
    [
      either(i32Or(isZero(i32And(get(INDEX), i32(127))), get(FRESH)), nextAddresses),
      set(FRESH, zero),
      set(J, i64Load(i32Add(scratch, i32Shl(i32And(get(INDEX), i32(127)), i32(3))), ADDRESSES)),
    ],
    set(J, i64Load(get(PREVIOUS))),
  );
  const chooseLane = either(get(FIRST), set(REF_LANE, lane), set(REF_LANE, i32Remainder(i32Wrap(i64ShrU(get(J), i64(32n))), lanes)));
  const chooseArea = [
    either(isZero(pass), set(AREA, i32Mul(slice, get(LENGTH))), set(AREA, i32Sub(columns, get(LENGTH)))),
    either(
      i32Equal(get(REF_LANE), lane),
      set(AREA, i32Sub(i32Add(get(AREA), get(INDEX)), i32(1))),
      set(AREA, i32Sub(get(AREA), isZero(get(INDEX)))),
    ),
  ];
  const low = i64Extend(i32Wrap(get(J)));
  const relative = [
    set(X, i64ShrU(i64Mul(low, low), i64(32n))),
    set(X, i64ShrU(i64Mul(i64Extend(get(AREA)), get(X)), i64(32n))),
    set(AREA, i32Sub(i32Sub(get(AREA), i32(1)), i32Wrap(get(X)))),
  ];
  const reference = block(get(REF_LANE), i32Remainder(i32Add(get(START), get(AREA)), columns));

  return [
    set(LENGTH, i32Wrap(i64ShrU(i64Extend(columns), i64(2n)))),
    set(FIRST, i32And(isZero(pass), isZero(slice))),
    set(INDEX, i32Shl(get(FIRST), i32(1))),
    set(FRESH, i32(1)),
    set(INDEPENDENT, i32Or(i32Equal(type, i32(1)), i32And(isZero(pass), i32Less(slice, i32(2))))),
    prepareAddresses,
    either(i32Or(isZero(pass), i32Equal(slice, i32(3))), set(START, zero), set(START, i32Mul(i32Add(slice, i32(1)), get(LENGTH)))),
    loop(i32Less(get(INDEX), get(LENGTH)), [
      set(COL, i32Add(i32Mul(slice, get(LENGTH)), get(INDEX))),
      set(CURRENT, block(lane, get(COL))),
      either(isZero(get(COL)), set(PREVIOUS, block(lane, i32Sub(columns, i32(1)))), set(PREVIOUS, i32Sub(get(CURRENT), i32(BLOCK)))),
      chooseRandom,
      chooseLane,
      chooseArea,
      relative,
      call(COMPRESS, get(PREVIOUS), reference, get(CURRENT), scratch, i32Equal(isZero(pass), zero)),
      set(INDEX, i32Add(get(INDEX), i32(1))),
    ]),
  ];
}
