// The functions of the sector kernel, in WebAssembly.

import {
  and,
  assemble,
  type Code,
  get,
  I32,
  I64,
  i32,
  i32Add,
  i32Less,
  i64,
  i64Add,
  i64Store,
  lanes32,
  load,
  loop,
  set,
  shl32,
  shrS32,
  shuffle32,
  store,
  V128,
  type WasmMemory,
  xor,
} from "./wasm.ts";

/** The functions; addresses and lengths are in bytes. */
export interface KernelFunctions {
  /** Writes blocks of 16 bytes that hold the numbers `first`, `first + step` … from `out` to `end`, little-endian. */
  number(out: number, first: bigint, step: bigint, end: number): void;
  /**
   * Writes the tweaks of all blocks of the sectors whose first tweaks lie from `tweaks` to `end` into `stream`, and adds them to the sectors at
   * `data`.
   */
  tweak(tweaks: number, end: number, stream: number, data: number, sectorSize: number): void;
  /** Adds the bytes at `source` to those from `target` to `end`. */
  xor(target: number, end: number, source: number): void;
}

/** Assembles the module. */
export function kernelBytes(memory: WasmMemory = { minimum: 3 }): Uint8Array<ArrayBuffer> {
  return assemble(memory, [
    { name: "number", params: [I32, I64, I64, I32], locals: [], body: number() },
    { name: "tweak", params: [I32, I32, I32, I32, I32], locals: [I32, V128], body: tweak() },
    { name: "xor", params: [I32, I32, I32], locals: [], body: xorRange() },
  ]);
}

function number(): Code {
  const [out, first, step, end] = [get(0), get(1), get(2), get(3)];
  const block = [i64Store(out, first), i64Store(out, i64(0n), 8)];
  return loop(i32Less(out, end), [block, set(1, i64Add(first, step)), set(0, i32Add(out, i32(16)))]);
}

/** IEEE 1619, section 5.2: each tweak is the one before it times x in GF(2^128), the first byte being the lowest. */
function tweak(): Code {
  const [tweaks, end, stream, data, sectorSize, sectorEnd, value] = [get(0), get(1), get(2), get(3), get(4), get(5), get(6)];
  const next = [set(6, timesX(value)), set(2, i32Add(stream, i32(16))), set(3, i32Add(data, i32(16)))];
  const block = [store(stream, value), store(data, xor(load(data), value)), next];
  const sector = [set(6, load(tweaks)), set(5, i32Add(stream, sectorSize)), loop(i32Less(stream, sectorEnd), block)];
  return loop(i32Less(tweaks, end), [sector, set(0, i32Add(tweaks, i32(16)))]);
}

function timesX(value: Code): Code {
  // Each 32-bit lane gets the bit that the lane before it loses; that of the last comes back to the first as x^7 + x^2 + x + 1.
  const lost = shrS32(value, i32(31));
  const carried = and(shuffle32(lost, lost, 3, 0, 1, 2), lanes32(0x87, 1, 1, 1));
  return xor(shl32(value, i32(1)), carried);
}

function xorRange(): Code {
  const [target, end, source] = [get(0), get(1), get(2)];
  const block = store(target, xor(load(target), load(source)));
  return loop(i32Less(target, end), [block, set(0, i32Add(target, i32(16))), set(2, i32Add(source, i32(16)))]);
}
