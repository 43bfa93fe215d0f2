// A small WebAssembly assembler: functions are written as expressions in TypeScript, in which a repeated piece of code is simply a function that
// answers with it. https://webassembly.github.io/spec/core/binary/

/** A piece of code: writes itself into the function that it is part of. */
export type Code = (into: Body) => void;

interface Body {
  readonly bytes: number[];
  /** The blocks around, the innermost last. */
  readonly labels: (Label | undefined)[];
}

/** A type of value. */
export type Type = 0x7f | 0x7e;
export const I32 = 0x7f;
export const I64 = 0x7e;

/** A variable of a function. */
export interface Local {
  readonly index: number;
  readonly type: Type;
}

/** Something to branch to. */
export interface Label {
  readonly name: string;
}

/** An exported function. */
export interface Func {
  readonly name: string;
  readonly parameters: readonly Type[];
  readonly result?: Type;
  /** Gets the parameters and declares further variables with `local`. */
  body(parameters: readonly Local[], local: (type?: Type) => Local): readonly Code[];
}

/** Assembles a module that imports a memory, `env.memory`. */
export function assemble(functions: readonly Func[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => [0x60, ...vector(parameters), ...vector(result === undefined ? [] : [result])]);
  const memory = [...name("env"), ...name("memory"), 0x02, 0x00, ...unsigned(1)];
  const exports = functions.map((func, index) => [...name(func.name), 0x00, ...unsigned(index)]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, sequence(types)),
    ...section(2, sequence([memory])),
    ...section(3, sequence(functions.map((_, index) => unsigned(index)))),
    ...section(7, sequence(exports)),
    ...section(10, sequence(functions.map(compile))),
  ]);
}

function compile(func: Func): readonly number[] {
  const locals: Type[] = [];
  const parameters = func.parameters.map((type, index) => ({ type, index }));
  const code = func.body(parameters, (type = I32) => {
    locals.push(type);
    return { type, index: parameters.length + locals.length - 1 };
  });
  const body: Body = { bytes: [], labels: [] };
  for (const piece of code) piece(body);
  const bytes = [...sequence(locals.map((type) => [...unsigned(1), type])), ...body.bytes, 0x0b];
  return [...unsigned(bytes.length), ...bytes];
}

// Values

export const int =
  (value: number): Code =>
  ({ bytes }) =>
    void bytes.push(0x41, ...signed(BigInt(value | 0)));

export const get =
  ({ index }: Local): Code =>
  ({ bytes }) =>
    void bytes.push(0x20, ...unsigned(index));

/** A variable, a number or a piece of code that leaves a value. */
export type Value = Local | number | Code;

function toCode(value: Value): Code {
  if (typeof value === "function") return value;
  return typeof value === "number" ? int(value) : get(value);
}

const operation =
  (...opcode: readonly number[]) =>
  (...operands: readonly Value[]): Code =>
  (into) => {
    for (const operand of operands) toCode(operand)(into);
    into.bytes.push(...opcode);
  };

export const add: (a: Value, b: Value) => Code = operation(0x6a);
export const subtract: (a: Value, b: Value) => Code = operation(0x6b);
export const multiply: (a: Value, b: Value) => Code = operation(0x6c);
export const and: (a: Value, b: Value) => Code = operation(0x71);
export const or: (a: Value, b: Value) => Code = operation(0x72);
export const xor: (a: Value, b: Value) => Code = operation(0x73);
export const shiftLeft: (a: Value, bits: Value) => Code = operation(0x74);
/** An arithmetic shift: keeps the sign. */
export const shiftSigned: (a: Value, bits: Value) => Code = operation(0x75);
export const shiftRight: (a: Value, bits: Value) => Code = operation(0x76);
export const equal: (a: Value, b: Value) => Code = operation(0x46);
/** a < b, unsigned; so are the two that follow. */
export const less: (a: Value, b: Value) => Code = operation(0x49);
export const greater: (a: Value, b: Value) => Code = operation(0x4b);
export const atLeast: (a: Value, b: Value) => Code = operation(0x4f);
/** `a` where the condition holds, else `b`; both are computed. */
export const select: (a: Value, b: Value, condition: Value) => Code = operation(0x1b);

export const xor64: (a: Value, b: Value) => Code = operation(0x85);
export const shiftRight64: (a: Value, bits: Value) => Code = operation(0x88);
export const toI32: (a: Value) => Code = operation(0xa7);
export const toI64: (a: Value) => Code = operation(0xad);
export const long =
  (value: bigint): Code =>
  ({ bytes }) =>
    void bytes.push(0x42, ...signed(BigInt.asIntN(64, value)));

// Memory

const load =
  (opcode: number) =>
  (address: Value, offset = 0): Code =>
  (into) => {
    toCode(address)(into);
    into.bytes.push(opcode, 0, ...unsigned(offset));
  };
const store =
  (opcode: number) =>
  (address: Value, value: Value, offset = 0): Code =>
  (into) => {
    toCode(address)(into);
    toCode(value)(into);
    into.bytes.push(opcode, 0, ...unsigned(offset));
  };

export const load8: (address: Value, offset?: number) => Code = load(0x2d);
export const load16: (address: Value, offset?: number) => Code = load(0x2f);
export const load32: (address: Value, offset?: number) => Code = load(0x28);
export const load64: (address: Value, offset?: number) => Code = load(0x29);
export const store8: (address: Value, value: Value, offset?: number) => Code = store(0x3a);
export const store16: (address: Value, value: Value, offset?: number) => Code = store(0x3b);
export const store32: (address: Value, value: Value, offset?: number) => Code = store(0x36);
export const store64: (address: Value, value: Value, offset?: number) => Code = store(0x37);

// Control

export const set =
  ({ index }: Local, value: Value): Code =>
  (into) => {
    toCode(value)(into);
    into.bytes.push(0x21, ...unsigned(index));
  };

export const when =
  (condition: Value, then: readonly Code[], otherwise: readonly Code[] = []): Code =>
  (into) => {
    toCode(condition)(into);
    into.bytes.push(0x04, 0x40);
    into.labels.push(undefined);
    for (const piece of then) piece(into);
    if (otherwise.length > 0) into.bytes.push(0x05);
    for (const piece of otherwise) piece(into);
    into.labels.pop();
    into.bytes.push(0x0b);
  };

const structure =
  (opcode: number) =>
  (label: Label, body: readonly Code[]): Code =>
  (into) => {
    into.bytes.push(opcode, 0x40);
    into.labels.push(label);
    for (const piece of body) piece(into);
    into.labels.pop();
    into.bytes.push(0x0b);
  };

/** Branching to its label leaves it. */
export const block: (label: Label, body: readonly Code[]) => Code = structure(0x02);
/** Branching to its label begins it anew; at its end it is left. */
export const loop: (label: Label, body: readonly Code[]) => Code = structure(0x03);

const branching =
  (opcode: number) =>
  (label: Label, ...condition: readonly Value[]): Code =>
  (into) => {
    for (const value of condition) toCode(value)(into);
    into.bytes.push(opcode, ...unsigned(into.labels.length - 1 - into.labels.lastIndexOf(label)));
  };

export const branch: (label: Label) => Code = branching(0x0c);
export const branchWhen: (label: Label, condition: Value) => Code = branching(0x0d);
export const giveBack: (value: Value) => Code = operation(0x0f);

// Encoding

function section(id: number, bytes: readonly number[]): readonly number[] {
  return [id, ...unsigned(bytes.length), ...bytes];
}

function vector(bytes: readonly number[]): readonly number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function sequence(items: readonly (readonly number[])[]): readonly number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): readonly number[] {
  return vector([...Buffer.from(text)]);
}

/** LEB128. */
function unsigned(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: bigint): readonly number[] {
  const low = Number(value & 0x7fn);
  const rest = value >> 7n;
  const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
  return done ? [low] : [low | 0x80, ...signed(rest)];
}
