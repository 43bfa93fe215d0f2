// Buffers that are used again, as fresh ones cost more than what is done with them.

/** The sizes of buffers that are kept, in bytes, and how many of each: as many as requests are usually under way. (4 KiB writes at depth 32: see bench.) */
const kinds: readonly { readonly size: number; readonly most: number }[] = [
  { size: 16 * 1024, most: 64 },
  { size: 256 * 1024, most: 8 },
];

/** Lends buffers for what is encrypted. */
export class BufferPool {
  readonly #free: readonly Uint8Array[][] = kinds.map(() => []);

  /** A buffer of `length` bytes, full of whatever was in it. */
  take(length: number): Uint8Array {
    const kind = kinds.findIndex(({ size }) => length <= size);
    if (kind === -1) return Buffer.allocUnsafeSlow(length);
    const whole = this.#free[kind]?.pop() ?? Buffer.allocUnsafeSlow(kinds[kind]?.size as number);
    return whole.subarray(0, length);
  }

  /** Takes one back that nobody uses any more. */
  giveBack(buffer: Uint8Array): void {
    const kind = kinds.findIndex(({ size }) => size === buffer.buffer.byteLength);
    const free = this.#free[kind];
    if (free !== undefined && free.length < (kinds[kind]?.most as number)) free.push(new Uint8Array(buffer.buffer));
  }
}
