// A small assembler for WebAssembly: what has to work on 64 or 128 bits at a time is written in its instructions and assembled when it is
// first used, so that the module and its source cannot differ. Instructions and encodings: WebAssembly Core Specification 2.0, chapter 5.

/** Instructions, put together of smaller pieces. */
export type Code = readonly (number | Code)[];

/** The types of parameters and locals. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;

/** A function of a module; its locals are numbered after its parameters. No function answers with anything. */
export interface WasmFunction {
  readonly name: string;
  readonly params: readonly number[];
  readonly locals: readonly number[];
  readonly body: Code;
}

/** What a module imports as `env.memory`. */
export interface WasmMemory {
  /** Pages of 64 KiB that it has at least. */
  readonly minimum: number;
  /** For a memory shared by threads: pages that it has at most. */
  readonly shared?: number;
}

/** Assembles a module that imports a memory as `env.memory` and exports all of its functions. They call each other by their index. */
export function assemble(memory: WasmMemory, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const limits = memory.shared === undefined ? [0, u32(memory.minimum)] : [3, u32(memory.minimum), u32(memory.shared)];
  return Uint8Array.from(
    flat([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, vector(functions.map(({ params }) => [0x60, vector(params), vector([])]))),
      section(2, vector([[text("env"), text("memory"), 2, limits]])),
      section(3, vector(functions.map((_, index) => u32(index)))),
      section(7, vector(functions.map(({ name }, index) => [text(name), 0, u32(index)]))),
      section(10, vector(functions.map((each) => sized([vector(each.locals.map((type) => [1, type])), each.body, END])))),
    ]),
  );
}

const END = 0x0b;

function section(id: number, content: Code): Code {
  return [id, sized(content)];
}

function sized(content: Code): Code {
  const bytes = flat(content);
  return [u32(bytes.length), bytes];
}

function vector(items: Code): Code {
  return [u32(items.length), items];
}

function text(value: string): Code {
  return vector([...new TextEncoder().encode(value)]);
}

function flat(code: Code): number[] {
  const bytes: number[] = [];
  const add = (piece: number | Code): void => {
    if (typeof piece === "number") bytes.push(piece);
    else for (const each of piece) add(each);
  };
  add(code);
  return bytes;
}

/** LEB128, unsigned. */
function u32(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** LEB128, signed. */
function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const byte = Number(rest & 0x7fn);
    const last = rest >> 6n === 0n || rest >> 6n === -1n;
    bytes.push(last ? byte : byte | 0x80);
    if (last) return bytes;
  }
}

// Instructions. An operand that is itself code comes first, as it does on the stack.

export const get = (local: number): Code => [0x20, u32(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, u32(local)];
export const i32 = (value: number): Code => [0x41, signed(BigInt(value | 0))];
export const i64 = (value: bigint): Code => [0x42, signed(BigInt.asIntN(64, value))];
export const call = (index: number, ...operands: Code): Code => [operands, 0x10, u32(index)];

const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [a, b, opcode];
const simd = (opcode: number): Code => [0xfd, u32(opcode)];
const simdBinary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [a, b, simd(opcode)];

export const i32Equal: (a: Code, b: Code) => Code = binary(0x46);
export const i32Less: (a: Code, b: Code) => Code = binary(0x49);
export const i32Add: (a: Code, b: Code) => Code = binary(0x6a);
export const i32Sub: (a: Code, b: Code) => Code = binary(0x6b);
export const i32Mul: (a: Code, b: Code) => Code = binary(0x6c);
export const i32Remainder: (a: Code, b: Code) => Code = binary(0x70);
export const i32And: (a: Code, b: Code) => Code = binary(0x71);
export const i32Or: (a: Code, b: Code) => Code = binary(0x72);
export const i32Shl: (a: Code, b: Code) => Code = binary(0x74);
export const i64Add: (a: Code, b: Code) => Code = binary(0x7c);
export const i64Mul: (a: Code, b: Code) => Code = binary(0x7e);
export const i64ShrU: (a: Code, b: Code) => Code = binary(0x88);
export const i32Wrap = (value: Code): Code => [value, 0xa7];
export const i64Extend = (value: Code): Code => [value, 0xad];

/** Memory instructions; `offset` is added to the address. */
export const i32Load = (address: Code, offset = 0): Code => [address, 0x28, 2, u32(offset)];
export const i32Store = (address: Code, value: Code, offset = 0): Code => [address, value, 0x36, 2, u32(offset)];
export const i64Load = (address: Code, offset = 0): Code => [address, 0x29, 3, u32(offset)];
export const i64Store = (address: Code, value: Code, offset = 0): Code => [address, value, 0x37, 3, u32(offset)];
export const load = (address: Code, offset = 0): Code => [address, simd(0x00), 4, u32(offset)];
export const store = (address: Code, value: Code, offset = 0): Code => [address, value, simd(0x0b), 4, u32(offset)];

export const xor: (a: Code, b: Code) => Code = simdBinary(0x51);
export const and: (a: Code, b: Code) => Code = simdBinary(0x4e);
export const or: (a: Code, b: Code) => Code = simdBinary(0x50);
export const shl32: (a: Code, bits: Code) => Code = simdBinary(0xab);
export const shrS32: (a: Code, bits: Code) => Code = simdBinary(0xac);
export const shl64: (a: Code, bits: Code) => Code = simdBinary(0xcb);
export const shrU64: (a: Code, bits: Code) => Code = simdBinary(0xcd);
export const add64: (a: Code, b: Code) => Code = simdBinary(0xce);
/** Products of the unsigned 32-bit lanes 0 and 1, or 2 and 3, as 64-bit lanes. */
export const mulLow32: (a: Code, b: Code) => Code = simdBinary(0xde);
export const mulHigh32: (a: Code, b: Code) => Code = simdBinary(0xdf);

/** A vector of four 32-bit lanes. */
export function lanes32(...lanes: [number, number, number, number]): Code {
  return [simd(0x0c), ...new Uint8Array(new Uint32Array(lanes).buffer)];
}

/** Chooses 16 of 32 bytes, numbered through both vectors. */
export function shuffle(a: Code, b: Code, bytes: readonly number[]): Code {
  return [a, b, simd(0x0d), bytes];
}

/** Chooses four of eight 32-bit lanes, numbered through both vectors. */
export function shuffle32(a: Code, b: Code, ...lanes: [number, number, number, number]): Code {
  return shuffle(
    a,
    b,
    lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)),
  );
}

/** Repeats `body` while `condition` holds. */
export function loop(condition: Code, body: Code): Code {
  return [0x02, 0x40, 0x03, 0x40, condition, 0x45, 0x0d, 1, body, 0x0c, 0, END, END];
}

/** Does one or the other. */
export function either(condition: Code, then: Code, otherwise: Code = []): Code {
  return [condition, 0x04, 0x40, then, 0x05, otherwise, END];
}
