// How large a block device is, found out by reading: for systems that are not asked otherwise.

import { MAX_SIZE } from "../../contract/size.ts";

/** Reads at an offset: how many bytes there were. */
export type ReadAt = (target: Uint8Array, offset: bigint) => Promise<number>;

/** Finds the first offset at which nothing can be read, in about a hundred reads of one byte. */
export async function endOfDevice(read: ReadAt): Promise<bigint> {
  const byte = new Uint8Array(1);
  const exists = async (offset: bigint): Promise<boolean> => (await read(byte, offset)) > 0;
  // `low` bytes are there; the byte at `high` is not.
  let low = 0n;
  let high = 1n;
  while (high < MAX_SIZE && (await exists(high))) {
    low = high + 1n;
    high = high * 2n < MAX_SIZE ? high * 2n : MAX_SIZE;
  }
  if (low === 0n && !(await exists(0n))) return 0n;
  while (low < high) {
    const middle = (low + high) / 2n;
    if (await exists(middle)) low = middle + 1n;
    else high = middle;
  }
  return high;
}
