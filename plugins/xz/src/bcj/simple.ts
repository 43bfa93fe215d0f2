// Undoing the filters for machine code of fixed instruction length: ARM, ARM64, ARM-Thumb, PowerPC and SPARC. Each of them made the relative address of
// a branch an absolute one before compression, since then calls of the same place look the same. Section 5.3.2 of "The .xz File Format".

/** Undoes a filter in place; `start` is the address that the first byte counts as. */
export type Undo = (bytes: Uint8Array, start: number) => void;

/** 32-bit ARM: BL. */
export const arm: Undo = (bytes, start) => {
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    if (bytes[i + 3] !== 0xeb) continue;
    const absolute = at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16);
    const relative = ((absolute << 2) - (start + i + 8)) >>> 2;
    bytes[i] = relative;
    bytes[i + 1] = relative >>> 8;
    bytes[i + 2] = relative >>> 16;
  }
};

/** ARM-Thumb: BL, a pair of halfwords. */
export const armThumb: Undo = (bytes, start) => {
  for (let i = 0; i + 4 <= bytes.length; i += 2) {
    if ((at(bytes, i + 1) & 0xf8) !== 0xf0 || (at(bytes, i + 3) & 0xf8) !== 0xf8) continue;
    const absolute = ((at(bytes, i + 1) & 7) << 19) | (at(bytes, i) << 11) | ((at(bytes, i + 3) & 7) << 8) | at(bytes, i + 2);
    const relative = ((absolute << 1) - (start + i + 4)) >>> 1;
    bytes[i + 1] = 0xf0 | ((relative >>> 19) & 7);
    bytes[i] = relative >>> 11;
    bytes[i + 3] = 0xf8 | ((relative >>> 8) & 7);
    bytes[i + 2] = relative;
    i += 2;
  }
};

/** 64-bit ARM: BL, and ADRP where it reaches less than 512 MiB far. */
export const arm64: Undo = (bytes, start) => {
  const view = viewOf(bytes);
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const instruction = view.getUint32(i, true);
    const here = (start + i) >>> 0;
    if (instruction >>> 26 === 0x25) {
      view.setUint32(i, 0x94000000 | ((instruction - (here >>> 2)) & 0x03ffffff), true);
    } else if ((instruction & 0x9f000000) >>> 0 === 0x90000000) {
      const absolute = ((instruction >>> 29) & 3) | ((instruction >>> 3) & 0x1ffffc);
      if (((absolute + 0x020000) & 0x1c0000) !== 0) continue;
      const relative = absolute - (here >>> 12);
      const high = -(relative & 0x020000) & 0xe00000;
      view.setUint32(i, (instruction & 0x9000001f) | ((relative & 3) << 29) | ((relative & 0x03fffc) << 3) | high, true);
    }
  }
};

/** PowerPC, big endian: bl. */
export const powerPc: Undo = (bytes, start) => {
  const view = viewOf(bytes);
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const instruction = view.getUint32(i);
    if ((instruction & 0xfc000003) >>> 0 !== 0x48000001) continue;
    view.setUint32(i, 0x48000001 | (((instruction & 0x03fffffc) - (start + i)) & 0x03fffffc));
  }
};

/** SPARC: call, where it reaches less than 8 MiB far. */
export const sparc: Undo = (bytes, start) => {
  const view = viewOf(bytes);
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const instruction = view.getUint32(i);
    if (instruction >>> 22 !== 0x100 && instruction >>> 22 !== 0x1ff) continue;
    const relative = ((instruction << 2) - (start + i)) >>> 2;
    view.setUint32(i, (0x40000000 - (relative & 0x400000)) | 0x40000000 | (relative & 0x3fffff));
  }
};

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
