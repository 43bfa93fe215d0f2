// What an expression comes to: bytes, holes, and repetitions and parts of such, none of them longer in memory than in the text.

/** A run of bytes, of any length. */
export type Content = {
  /** Bytes. */
  readonly size: bigint;
  /** At least so many of them are data; the others are holes, or may be. */
  readonly data: bigint;
} & (
  | { readonly kind: "hole" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "fill"; readonly byte: number }
  | { readonly kind: "repeat"; readonly of: Content }
  | { readonly kind: "slice"; readonly of: Content; readonly start: bigint }
  | { readonly kind: "parts"; readonly parts: readonly Part[] }
);

/** A part of a longer content. */
export interface Part {
  readonly offset: bigint;
  readonly content: Content;
}

/** A stretch of content that is all of one kind: bytes, one byte again and again, or a hole. */
export interface Stretch {
  readonly length: bigint;
  readonly bytes?: Uint8Array;
  readonly byte?: number;
}

/** Parts up to this size are put together into one: many small ones cost more than their bytes. */
const SMALL = 4096n;
/** Repetitions of less than a page of the memory disk are copied out of a buffer of many of them. No page of such a repetition is a hole. */
const UNIT = 32n * 1024n;
const BUFFER = 128 * 1024;

/** Nothing but a hole. */
export function hole(size: bigint): Content {
  return { kind: "hole", size, data: 0n };
}

/** These bytes. */
export function bytes(value: Uint8Array): Content {
  const size = BigInt(value.length);
  return { kind: "bytes", size, data: size, bytes: value };
}

/** The same content so many times. A zero byte many times over is a hole. */
export function repeat(of: Content, times: bigint): Content {
  const size = of.size * times;
  if (times === 1n) return of;
  if (size === 0n || of.kind === "hole") return hole(size);
  if (of.kind === "bytes" && of.bytes.every((byte) => byte === of.bytes[0])) return fill(of.bytes[0] as number, size);
  if (of.kind === "fill") return fill(of.byte, size);
  return { kind: "repeat", size, data: of.data * times, of: of.kind === "repeat" ? of.of : of };
}

function fill(byte: number, size: bigint): Content {
  return byte === 0 ? hole(size) : { kind: "fill", size, data: size, byte };
}

/** The bytes from `start` up to `end`, which must be there. */
export function slice(of: Content, start: bigint, end: bigint): Content {
  const size = end - start;
  if (size === of.size) return of;
  if (size === 0n || of.kind === "hole") return hole(size);
  if (of.kind === "bytes") return bytes(of.bytes.subarray(Number(start), Number(end)));
  if (of.kind === "fill") return fill(of.byte, size);
  if (of.kind === "slice") return slice(of.of, of.start + start, of.start + end);
  return { kind: "slice", size, data: of.data === of.size ? size : 0n, of, start };
}

/** Collects contents at offsets; what comes later lies over what came before, holes included. */
export class Painter {
  readonly #parts: Part[] = [];

  /** Puts a content at an offset. */
  put(offset: bigint, content: Content): void {
    if (content.size === 0n) return;
    const parts = this.#parts;
    const end = offset + content.size;
    const last = parts.at(-1);
    if (last === undefined || last.offset + last.content.size <= offset) {
      parts.push({ offset, content });
      return;
    }
    const from = firstEndingAfter(parts, offset);
    let to = from;
    const instead: Part[] = [{ offset, content }];
    for (let part = parts[to]; part !== undefined && part.offset < end; part = parts[++to]) {
      const { size } = part.content;
      if (part.offset < offset) instead.unshift({ offset: part.offset, content: slice(part.content, 0n, offset - part.offset) });
      if (part.offset + size > end) instead.push({ offset: end, content: slice(part.content, end - part.offset, size) });
    }
    parts.splice(from, to - from, ...instead);
  }

  /** All of it, as long as `size`. */
  finish(size: bigint): Content {
    const parts = this.#parts.filter(({ content }) => content.kind !== "hole");
    const [first] = parts;
    if (first === undefined) return hole(size);
    if (parts.length === 1 && first.content.size === size) return first.content;
    const data = parts.reduce((sum, { content }) => sum + content.data, 0n);
    const all: Content = { kind: "parts", size, data, parts };
    if (size > SMALL) return all;
    return bytes(rendered(all));
  }
}

/** Index of the first part that ends behind `offset`. */
function firstEndingAfter(parts: readonly Part[], offset: bigint): number {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const part = parts[middle] as Part;
    if (part.offset + part.content.size <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bytes of a content that is short enough. */
function rendered(content: Content): Uint8Array {
  const target = new Uint8Array(Number(content.size));
  let at = 0;
  for (const { length, bytes, byte } of stretches(content)) {
    if (bytes !== undefined) target.set(bytes, at);
    else if (byte !== undefined) target.fill(byte, at, at + Number(length));
    at += Number(length);
  }
  return target;
}

/** What a content consists of, from front to back, from `from` up to `to`. */
export function* stretches(content: Content, from = 0n, to: bigint = content.size): Generator<Stretch> {
  if (from >= to) return;
  switch (content.kind) {
    case "hole":
      yield { length: to - from };
      return;
    case "fill":
      yield { length: to - from, byte: content.byte };
      return;
    case "bytes":
      yield { length: to - from, bytes: content.bytes.subarray(Number(from), Number(to)) };
      return;
    case "slice":
      yield* stretches(content.of, content.start + from, content.start + to);
      return;
    case "repeat":
      yield* repetitions(content.of, from, to);
      return;
    case "parts": {
      let at = from;
      for (let i = firstEndingAfter(content.parts, from); i < content.parts.length && at < to; i++) {
        const { offset, content: part } = content.parts[i] as Part;
        if (offset >= to) break;
        if (offset > at) {
          yield { length: offset - at };
          at = offset;
        }
        const end = offset + part.size < to ? offset + part.size : to;
        yield* stretches(part, at - offset, end - offset);
        at = end;
      }
      if (at < to) yield { length: to - at };
    }
  }
}

function* repetitions(of: Content, from: bigint, to: bigint): Generator<Stretch> {
  if (of.size <= UNIT) {
    const unit = rendered(of);
    const wanted = to - from + BigInt(unit.length);
    const many = new Uint8Array(Math.max(1, Math.floor(Math.min(BUFFER, Number(wanted)) / unit.length)) * unit.length);
    for (let at = 0; at < many.length; at += unit.length) many.set(unit, at);
    let start = Number(from % of.size);
    for (let at = from; at < to; start = 0) {
      const left = to - at;
      const bytes = many.subarray(start, left < many.length - start ? start + Number(left) : many.length);
      yield { length: BigInt(bytes.length), bytes };
      at += BigInt(bytes.length);
    }
    return;
  }
  for (let at = from; at < to; ) {
    const start = at % of.size;
    const end = of.size - start < to - at ? of.size : start + to - at;
    yield* stretches(of, start, end);
    at += end - start;
  }
}
