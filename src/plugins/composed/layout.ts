// What lies where on a composed disk: parts without gaps between them.

import type { Disk } from "../../contract/disk.ts";

/** A part of a composed disk: all of a disk, bytes that stay as they are, or zeroes. */
export type Part = {
  /** Where it starts, in bytes of the composed disk. */
  readonly offset: bigint;
  /** Bytes. */
  readonly length: bigint;
  /** What errors call it: "the partition table". */
  readonly name: string;
} & (
  | { readonly disk: Disk; readonly bytes?: undefined }
  | { readonly disk?: undefined; readonly bytes: Uint8Array }
  | { readonly disk?: undefined; readonly bytes?: undefined }
);

/** Part of a part, as a request meets it. */
export interface Stretch {
  readonly part: Part;
  /** Where it starts, in bytes of the part. */
  readonly at: bigint;
  /** Where it starts, in bytes of the request. */
  readonly from: bigint;
  readonly length: bigint;
}

/** Parts in the order of their offsets. */
export class Layout {
  readonly parts: readonly Part[];

  /** @param parts - in order, without gaps, from 0 on; empty ones are left out */
  constructor(parts: readonly Part[]) {
    this.parts = parts.filter(({ length }) => length > 0n);
  }

  get size(): bigint {
    const last = this.parts.at(-1);
    return last === undefined ? 0n : last.offset + last.length;
  }

  /** The part that a range is in, if it is in one. */
  within(offset: bigint, length: bigint | number): Part | undefined {
    const part = this.parts[this.#indexAt(offset)];
    return part !== undefined && offset + BigInt(length) <= part.offset + part.length ? part : undefined;
  }

  /** What of each part a range meets, in order. */
  stretches(offset: bigint, length: bigint): Stretch[] {
    const end = offset + length;
    const list: Stretch[] = [];
    let from = offset;
    for (let i = this.#indexAt(offset); from < end; i += 1) {
      const part = this.parts[i] as Part;
      let to = part.offset + part.length;
      if (to > end) to = end;
      list.push({ part, at: from - part.offset, from: from - offset, length: to - from });
      from = to;
    }
    return list;
  }

  #indexAt(offset: bigint): number {
    let low = 0;
    let high = this.parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.parts[middle] as Part).offset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
