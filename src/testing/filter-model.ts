// What a filter is to show of the disk below.

import type { FilterTestOptions } from "./filter.ts";

/** What the filter shows of the bytes below, if that is known. */
export function modelOf({ transparent = false, model }: FilterTestOptions): ((below: Uint8Array) => Uint8Array) | undefined {
  return model ?? (transparent ? (below) => below : undefined);
}

/** Bytes that differ from their neighbours, with blocks of zeroes among them. */
export function allSorts(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (Math.floor(i / 2048) % 3 === 1 ? 0 : (i * 7 + (i >> 8)) & 0xff));
}
