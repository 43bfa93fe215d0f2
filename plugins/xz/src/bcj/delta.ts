// Undoing the delta filter, which left of each byte the difference from the byte so and so far before it. Section 5.3.3 of "The .xz File Format".

/** Undoes it in place. */
export function delta(bytes: Uint8Array, distance: number): void {
  for (let i = distance; i < bytes.length; i += 1) bytes[i] = (bytes[i] as number) + (bytes[i - distance] as number);
}
