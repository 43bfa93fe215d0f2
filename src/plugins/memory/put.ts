// Copying into a disk's memory, unless the bytes were received right there.

/** Copies `source` to `start` of `bytes`. Where it was lent as room it is that place already: not copying saves a third of a large write. */
export function put(source: Uint8Array, bytes: Uint8Array, start: number): void {
  if (source.buffer === bytes.buffer && source.byteOffset === bytes.byteOffset + start) return;
  bytes.set(source, start);
}
