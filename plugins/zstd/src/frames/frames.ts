// The frames of a file: where each lies, and which part of the content it holds.

import { FormatError } from "./format-error.ts";

/** A frame that holds something. */
export interface Frame {
  /** Where in the file it begins, and how many bytes it takes. */
  readonly at: number;
  readonly length: number;
  /** Where in the content it begins, and how many bytes of it it holds. */
  readonly start: number;
  readonly size: number;
  /** The checksum of what it holds, where a seek table says one. */
  readonly checksum?: number;
}

/** More frames than this are not kept in mind. */
const MOST_FRAMES = 2 ** 24;

/** A list of frames that grows at its end. */
export class Frames {
  readonly #at: number[] = [];
  readonly #length: number[] = [];
  readonly #start: number[] = [];
  readonly #checksum: (number | undefined)[] = [];
  #size = 0;

  /** Bytes of the content. */
  get size(): number {
    return this.#size;
  }

  get count(): number {
    return this.#at.length;
  }

  /** Adds the next frame. One that holds nothing is left out. */
  add(at: number, length: number, size: number, checksum?: number): void {
    if (size === 0) return;
    if (this.count === MOST_FRAMES) throw new FormatError(`it has more than ${MOST_FRAMES} frames`);
    this.#at.push(at);
    this.#length.push(length);
    this.#start.push(this.#size);
    this.#checksum.push(checksum);
    this.#size += size;
    if (this.#size > Number.MAX_SAFE_INTEGER) throw new FormatError("it holds more bytes than any disk");
  }

  frame(number: number): Frame {
    const start = this.#start[number] as number;
    const checksum = this.#checksum[number];
    return {
      at: this.#at[number] as number,
      length: this.#length[number] as number,
      start,
      size: (this.#start[number + 1] ?? this.#size) - start,
      ...(checksum !== undefined && { checksum }),
    };
  }

  /** The number of the frame that has a byte of the content. */
  find(offset: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#start[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
