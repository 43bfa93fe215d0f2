// The filters of a block: which may be there, what they may be set to, and what undoes them. Sections 5.3.1 to 5.3.3 of "The .xz File Format".

import { delta } from "./bcj/delta.ts";
import { ia64 } from "./bcj/ia64.ts";
import { arm, arm64, armThumb, powerPc, sparc, type Undo } from "./bcj/simple.ts";
import { x86 } from "./bcj/x86.ts";
import type { FilterFlags } from "./format/block-header.ts";
import { FormatError, littleEndian } from "./format/fields.ts";

const LZMA2 = 0x21;
const DELTA = 0x03;

/** The filters for machine code by their numbers: what undoes each, and what its addresses are multiples of. */
const machines: ReadonlyMap<number, { readonly undo: Undo; readonly alignment: number }> = new Map([
  [0x04, { undo: x86, alignment: 1 }],
  [0x05, { undo: powerPc, alignment: 4 }],
  [0x06, { undo: ia64, alignment: 16 }],
  [0x07, { undo: arm, alignment: 4 }],
  [0x08, { undo: armThumb, alignment: 2 }],
  [0x09, { undo: sparc, alignment: 4 }],
  [0x0a, { undo: arm64, alignment: 4 }],
]);

/** What a block's filters ask for. */
export interface Chain {
  readonly dictionarySize: number;
  /** Called in this order on what LZMA2 gave. */
  readonly undo: readonly ((bytes: Uint8Array) => void)[];
}

/** Checks the filters of a block. */
export function toChain(filters: readonly FilterFlags[]): Chain {
  const last = filters.at(-1);
  if (last?.id !== LZMA2) throw new FormatError(`a block ends with the unknown filter ${hex(last?.id ?? 0)}: expected LZMA2 (0x21)`);
  return { dictionarySize: dictionarySize(last.properties), undo: filters.slice(0, -1).map(toUndo).reverse() };
}

function dictionarySize(properties: Uint8Array): number {
  const [bits = 0xff] = properties;
  if (properties.length !== 1 || bits > 40) throw new FormatError("a block has LZMA2 data with an impossible dictionary size");
  return bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
}

function toUndo({ id, properties }: FilterFlags): (bytes: Uint8Array) => void {
  if (id === DELTA) {
    const [distance = 0] = properties;
    if (properties.length !== 1) throw new FormatError("a block has a delta filter without a distance");
    return (bytes) => delta(bytes, distance + 1);
  }
  const machine = machines.get(id);
  if (machine === undefined) throw new FormatError(`a block went through filter ${hex(id)}, which is not known here, or not in this place`);
  if (properties.length !== 0 && properties.length !== 4) throw new FormatError(`a block has filter ${hex(id)} with impossible properties`);
  const start = properties.length === 0 ? 0 : littleEndian(properties, 0);
  if (start % machine.alignment !== 0) throw new FormatError(`a block has filter ${hex(id)} with the impossible start ${start}`);
  return (bytes) => machine.undo(bytes, start);
}

function hex(id: number): string {
  return `0x${id.toString(16).padStart(2, "0")}`;
}
