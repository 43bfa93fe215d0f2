// Reading and writing the fixed fields of binary headers.

import { refused } from "./refused.ts";

/**
 * The text of a field that ends with a NUL, or with the field.
 *
 * @throws DiskError EINVAL when it is not printable ASCII
 */
export function textField(bytes: Uint8Array, offset: number, length: number, what: string): string {
  const field = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
  const end = field.indexOf(0);
  const text = field.toString("latin1", 0, end < 0 ? length : end);
  if (!/^[ -~]*$/.test(text)) throw refused(`the ${what} of the header is no text`);
  return text;
}

/** Whether two ranges have a byte in common. */
export function overlap(a: { readonly start: bigint; readonly end: bigint }, b: { readonly start: bigint; readonly end: bigint }): boolean {
  return a.start < b.end && b.start < a.end;
}
