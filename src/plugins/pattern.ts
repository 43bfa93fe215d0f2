// The pattern plugin: every eight bytes say where they are.

import type { Connection } from "../contract/connection.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

/**
 * A read-only disk on which every eight bytes hold their own offset, as a 64-bit big-endian number: what is read tells from where.
 *
 * @param size - 0 to 2^63-1 bytes
 * @throws DiskError EINVAL when the size is none
 * @example
 * ```ts
 * await using disk = await openDisk(pattern("1G"));
 * const target = Buffer.alloc(8);
 * await disk.read(target, 4096n);
 * console.log(target.readBigUInt64BE()); // 4096n
 * ```
 */
export function pattern(size: Size): Plugin {
  const connection: Connection = { size: parseSize(size), traits: { multiConn: true }, read, cache: () => undefined };
  return { name: "pattern", open: () => connection };
}

function read(target: Uint8Array, offset: bigint): void {
  const inWord = Number(offset % 8n);
  const first = offset - BigInt(inWord);
  if (inWord === 0 && target.length >= 8) {
    fill(target, first);
    return;
  }
  const word = Buffer.alloc(8);
  word.writeBigUInt64BE(first);
  const head = word.subarray(inWord, inWord + target.length);
  target.set(head);
  if (head.length < target.length) fill(target.subarray(head.length), first + 8n);
}

/** Fills from a multiple of eight on. Halves of a number are four times as fast as bigints. */
function fill(target: Uint8Array, offset: bigint): void {
  const view = new DataView(target.buffer, target.byteOffset, target.length);
  const whole = target.length - (target.length % 8);
  let high = Number(offset >> 32n);
  let low = Number(offset & 0xffffffffn);
  for (let i = 0; i < whole; i += 8) {
    view.setUint32(i, high);
    view.setUint32(i + 4, low);
    low += 8;
    if (low === 2 ** 32) {
      low = 0;
      high += 1;
    }
  }
  if (whole < target.length) {
    const word = Buffer.alloc(8);
    word.writeUInt32BE(high);
    word.writeUInt32BE(low, 4);
    target.set(word.subarray(0, target.length - whole), whole);
  }
}
