// Undoing the filter for x86 machine code: the addresses of CALL and JMP, which may stand at any byte.

import type { Undo } from "./simple.ts";

/**
 * Of the three bytes before an opcode, bit by bit, those that looked like opcodes themselves: whether the opcode may still be one, and which byte of the
 * address then has to be looked at. What is undone must be just what the compressor did, so its guesses are repeated.
 */
const MAY_BE_OPCODE: readonly boolean[] = [true, true, true, false, true, false, false, false];
const SUSPECT: readonly number[] = [0, 1, 2, 2, 3, 3, 3, 3];

export const x86: Undo = (bytes, start) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let before = 0;
  let last = -1;
  for (let i = 0; i + 5 <= bytes.length; i += 1) {
    if (((bytes[i] as number) & 0xfe) !== 0xe8) continue;
    const distance = i - last;
    last = i;
    before = distance > 3 ? 0 : (before << (distance - 1)) & 7;
    if (before !== 0) {
      const suspect = bytes[i + 4 - (SUSPECT[before] as number)] as number;
      if (!MAY_BE_OPCODE[before] || isSignByte(suspect)) {
        before = (before << 1) | 1;
        continue;
      }
    }
    if (!isSignByte(bytes[i + 4] as number)) {
      before = (before << 1) | 1;
      continue;
    }
    view.setUint32(i + 1, relative(view.getUint32(i + 1, true), start + i + 5, before), true);
    i += 4;
    last = i;
    // Nothing of the address counts as an opcode.
    before = 0;
  }
};

/** The high byte of an address within 16 MiB, up or down. */
function isSignByte(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

function relative(absolute: number, next: number, before: number): number {
  let source = absolute;
  for (;;) {
    const target = (source - next) | 0;
    const shift = 8 * (SUSPECT[before] as number);
    if (before === 0 || !isSignByte((target >>> (24 - shift)) & 0xff)) return (target & 0x01ffffff) | -(target & 0x01000000);
    source = target ^ (2 ** (32 - shift) - 1);
  }
}
