// Buffers that are used again, as fresh ones of this size cost more than what is done with them.

/** Bytes of a buffer that is kept. */
const SIZE = 256 * 1024;
/** How many are kept. */
const KEPT = 8;

/** Lends buffers for what is encrypted. */
export class BufferPool {
  readonly #free: Uint8Array[] = [];

  /** A buffer of `length` bytes, full of whatever was in it. */
  take(length: number): Uint8Array {
    if (length > SIZE) return Buffer.allocUnsafeSlow(length);
    const whole = this.#free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
    return whole.subarray(0, length);
  }

  giveBack(buffer: Uint8Array): void {
    if (buffer.buffer.byteLength === SIZE && this.#free.length < KEPT) this.#free.push(new Uint8Array(buffer.buffer));
  }
}
