// An object of the disk as far as it is in memory: what was written to it, and what was read of it.

import { Ranges } from "./ranges.ts";

/** One object. */
export class Chunk {
  readonly number: number;
  /** The save that is under way. */
  saving: Promise<void> | undefined;
  /** The fetch of what is not known that is under way. */
  filling: Promise<void> | undefined;
  /** There is no such object: it was looked for, or has been deleted. */
  absent = false;
  /** Goes up with each write. */
  version = 0;
  /** The version that is stored. */
  saved = 0;
  #bytes: Uint8Array;
  #lent = false;
  readonly #known: Ranges = new Ranges();

  constructor(number: number, length: number) {
    this.number = number;
    this.#bytes = new Uint8Array(length);
  }

  /** Something was written that is not stored. */
  get dirty(): boolean {
    return this.version !== this.saved;
  }

  /** All of its bytes are known. */
  get complete(): boolean {
    return this.#known.has(0, this.#bytes.length);
  }

  /** Only zeroes, and all of them known. */
  get zeroes(): boolean {
    const bytes = this.#bytes;
    return this.complete && bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
  }

  /** Whether these bytes are known. */
  has(start: number, length: number): boolean {
    return this.#known.has(start, start + length);
  }

  /** Copies known bytes. */
  read(target: Uint8Array, start: number): void {
    target.set(this.#bytes.subarray(start, start + target.length));
  }

  write(source: Uint8Array, start: number): void {
    this.#own().set(source, start);
    this.#changed(start, source.length);
  }

  zero(start: number, length: number): void {
    this.#own().fill(0, start, start + length);
    this.#changed(start, length);
  }

  /** Takes what is stored for what is not known; what was written meanwhile stays. */
  fill(stored: Uint8Array): void {
    const bytes = this.#own();
    for (const [start, end] of this.#known.gaps(bytes.length)) bytes.set(stored.subarray(start, end), start);
    this.#known.add(0, bytes.length);
  }

  /** Lends its bytes until `release`: what is written meanwhile goes into a copy. */
  lend(): { readonly bytes: Uint8Array; release(): void } {
    const bytes = this.#bytes;
    this.#lent = true;
    const release = (): void => {
      if (this.#bytes === bytes) this.#lent = false;
    };
    return { bytes, release };
  }

  #own(): Uint8Array {
    if (this.#lent) {
      this.#bytes = this.#bytes.slice();
      this.#lent = false;
    }
    return this.#bytes;
  }

  #changed(start: number, length: number): void {
    this.#known.add(start, start + length);
    this.version += 1;
  }
}
