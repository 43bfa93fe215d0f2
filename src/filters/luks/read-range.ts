// Reading what a header is made of, from disks that answer now or later and that may want whole blocks.

import type { Disk } from "../../contract/disk.ts";
import { refused } from "./refused.ts";

/** Bytes that are read at once. */
const PIECE = 1024 * 1024;

/**
 * The bytes of a range, in a buffer of their own.
 *
 * @param what - what they are, for the error's text
 * @throws DiskError EINVAL when they are not on the disk
 */
export async function readRange(disk: Disk, offset: bigint, length: number, what: string): Promise<Uint8Array> {
  const end = offset + BigInt(length);
  if (end > disk.size) throw refused(`${what} ends at ${end}, past the end of the disk (${disk.size} bytes)`);
  const { minimum = 1, maximum = PIECE } = disk.blockSize ?? {};
  const step = BigInt(minimum);
  const start = offset - (offset % step);
  const whole = end + ((step - (end % step)) % step);
  const bytes = new Uint8Array(Number((whole < disk.size ? whole : disk.size) - start));
  const piece = Math.max(minimum, Math.min(PIECE, maximum - (maximum % minimum)));
  for (let at = 0; at < bytes.length; at += piece) await disk.read(bytes.subarray(at, at + piece), start + BigInt(at));
  const from = Number(offset - start);
  return from === 0 && bytes.length === length ? bytes : bytes.slice(from, from + length);
}
