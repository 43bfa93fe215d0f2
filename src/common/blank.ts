// Disks on which every byte is the same: what null, full and ones are made of.

import type { Connection } from "../contract/connection.ts";

/** Bytes that are lent at once, as often as it takes. */
const PIECE = 1024 * 1024;

/** What can be read of a disk on which every byte is `byte`; zeroes are a hole. Bytes are lent, never made anew. */
export function blank(size: bigint, byte: number): Pick<Connection, "size" | "traits" | "read" | "views" | "extents" | "cache"> {
  let piece: Uint8Array | undefined;
  return {
    size,
    traits: { multiConn: true },
    read: (target) => void target.fill(byte),
    views(_offset, length) {
      piece ??= new Uint8Array(PIECE).fill(byte);
      if (length <= PIECE) return [piece.subarray(0, length)];
      const views: Uint8Array[] = [];
      for (let left = length; left > 0; left -= PIECE) views.push(left >= PIECE ? piece : piece.subarray(0, left));
      return views;
    },
    extents: (offset, length) => (byte === 0 ? [{ offset, length, hole: true, zero: true }] : []),
    // There is nothing to bring near; offered because clients take its absence for a lack of care.
    cache: () => undefined,
  };
}
