// Buffers that are used again: a fresh one for each 256 KiB reply costs a fifth of the throughput.

const SMALLEST = 12;
const LARGEST = 22;

/** Bytes that each buffer has beyond its power of two: a client's next request fits behind a payload. */
const BEYOND = 64;

/** Buffers of 4 KiB to 4 MiB, by powers of two, and a little. What is taken may hold old bytes; what is given back must not be used any more. */
export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: LARGEST + 1 }, () => []);
  readonly #capacity: number;
  #held = 0;

  /** @param capacity - bytes that are kept for later at most */
  constructor(capacity: number = 32 * 1024 * 1024) {
    this.#capacity = capacity;
  }

  /** A buffer of at least `length` bytes, and 64 more. */
  take(length: number): Buffer {
    const shift = sizeClass(length);
    if (shift > LARGEST) return Buffer.allocUnsafeSlow(length + BEYOND);
    const buffer = (this.#free[shift] as Buffer[]).pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(2 ** shift + BEYOND);
    this.#held -= buffer.length;
    return buffer;
  }

  /** Gives a whole buffer back. */
  give(buffer: Buffer): void {
    const shift = sizeClass(buffer.length - BEYOND);
    if (shift > LARGEST || buffer.length !== 2 ** shift + BEYOND || this.#held + buffer.length > this.#capacity) return;
    this.#held += buffer.length;
    (this.#free[shift] as Buffer[]).push(buffer);
  }
}

function sizeClass(length: number): number {
  return Math.max(SMALLEST, 32 - Math.clz32(length - 1));
}
