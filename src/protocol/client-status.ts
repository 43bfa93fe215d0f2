// Block status as the server tells it: descriptors that follow one another from the request's offset on.

import type { StatusExtent } from "../contract/connection.ts";
import { violation } from "./client-errors.ts";

/** Descriptors in one chunk: what the protocol document calls the most that a server should send. */
export const MAX_DESCRIPTORS: number = 2 ** 20;

/** Bytes of a status chunk before its descriptors. */
export function statusPrefixSize(extended: boolean): number {
  return extended ? 8 : 4;
}

/** Checks the length of a status chunk; gives the number of descriptors. */
export function descriptorCount(payload: number, extended: boolean): number {
  const count = (payload - statusPrefixSize(extended)) / (extended ? 16 : 8);
  if (!Number.isInteger(count) || count < 1 || count > MAX_DESCRIPTORS) {
    throw violation(`a block status of ${payload} bytes, which is no list of 1 to ${MAX_DESCRIPTORS} descriptors`);
  }
  return count;
}

/**
 * Reads the descriptors of one context.
 *
 * @param body - the chunk after its context id (and count)
 * @param offset - where the request began
 * @param length - how far it went: the last extent is cut there
 */
export function decodeStatus(body: Buffer, extended: boolean, offset: bigint, length: bigint, reqOne: boolean): StatusExtent[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const size = extended ? 16 : 8;
  const end = offset + length;
  const list: StatusExtent[] = [];
  if (reqOne && body.length > size) throw violation("a block status of several extents where one was asked for");
  let start = offset;
  for (let at = 0; at < body.length; at += size) {
    if (start >= end) throw violation("a block status that goes on after the end of the request");
    const bytes = extended ? view.getBigUint64(at) : BigInt(view.getUint32(at));
    const status = extended ? view.getBigUint64(at + 8) : BigInt(view.getUint32(at + 4));
    if (bytes === 0n) throw violation("a block status with an extent of no length");
    const left = end - start;
    if (reqOne && bytes > left) throw violation(`a block status of one extent longer than the request: ${bytes} bytes`);
    list.push({ offset: start, length: bytes < left ? bytes : left, status });
    start += bytes;
  }
  return list;
}
