// Undoing the filter for Itanium machine code: the branches of its bundles of three instructions in 16 bytes.

import type { Undo } from "./simple.ts";

/** For each template of a bundle, bit by bit, which of its instructions may be a branch with an address. */
const BRANCHES: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0];

export const ia64: Undo = (bytes, start) => {
  for (let i = 0; i + 16 <= bytes.length; i += 16) {
    const branches = BRANCHES[(bytes[i] as number) & 0x1f] as number;
    for (let slot = 0; slot < 3; slot += 1) {
      if (((branches >> slot) & 1) === 0) continue;
      const bit = 5 + 41 * slot;
      undoSlot(bytes.subarray(i + (bit >> 3), i + (bit >> 3) + 6), BigInt(bit & 7), start + i);
    }
  }
};

/** Undoes one instruction, 41 bits that begin `shift` bits into six bytes. */
function undoSlot(bytes: Uint8Array, shift: bigint, here: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, 6);
  const word = BigInt(buffer.readUIntLE(0, 6));
  const instruction = word >> shift;
  if (((instruction >> 37n) & 0xfn) !== 5n || ((instruction >> 9n) & 7n) !== 0n) return;
  const absolute = ((instruction >> 13n) & 0xfffffn) | (((instruction >> 36n) & 1n) << 20n);
  const relative = BigInt.asUintN(32, (absolute << 4n) - BigInt(here)) >> 4n;
  const cleared = instruction & ~(0x8fffffn << 13n);
  const undone = cleared | ((relative & 0xfffffn) << 13n) | ((relative & 0x100000n) << 16n);
  buffer.writeUIntLE(Number((word & ((1n << shift) - 1n)) | (undone << shift)), 0, 6);
}
