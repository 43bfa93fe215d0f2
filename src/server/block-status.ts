// Answers block-status requests: one chunk for each context, 32-bit or 64-bit as negotiated.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Extent, StatusExtent } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { extentFlags } from "../contract/flags.ts";
import { Allocation, BASE_ALLOCATION, Chunk, ChunkFlag } from "../protocol/constants.ts";
import { chunkHeaderSize, putChunk, type ReplyMode, type RequestId, requestId } from "../protocol/replies.ts";

/** Lists the extents of the contexts `ids` in a range and makes the chunks of the reply. */
export function blockStatus(
  disk: Disk,
  contexts: readonly string[],
  ids: readonly number[],
  mode: ReplyMode,
  id: RequestId,
  length: bigint,
  reqOne: boolean,
): Awaitable<Buffer[]> {
  const flags = extentFlags(reqOne);
  const list = (context: number): Awaitable<List> => {
    const name = contexts[context] as string;
    if (name === BASE_ALLOCATION) return disk.extents(id.offset, length, flags);
    const found = disk.contexts.find((candidate) => candidate.name === name);
    if (found === undefined) throw new DiskError("EINVAL", `the disk has no context ${name} any more`);
    return found.extents(id.offset, length, flags);
  };
  const lists: Awaitable<List>[] = [];
  try {
    for (const context of ids) lists.push(list(context));
  } catch (error) {
    for (const other of lists) if (isPromise(other)) other.then(undefined, () => undefined);
    throw error;
  }
  const later = requestId(id);
  const encode = (arrived: readonly List[]): Buffer[] =>
    arrived.map((extents, index) => statusChunk(mode, later, index === ids.length - 1 ? ChunkFlag.DONE : 0, ids[index] as number, extents));
  if (lists.some((extents) => isPromise(extents))) return Promise.all(lists).then(encode);
  return encode(lists as List[]);
}

type List = readonly (Extent | StatusExtent)[];

function statusChunk(mode: ReplyMode, id: RequestId, flags: number, context: number, list: List): Buffer {
  const header = chunkHeaderSize(mode);
  if (mode === "extended") {
    const length = 8 + list.length * 16;
    const buffer = Buffer.allocUnsafe(header + length);
    let at = putChunk(buffer, 0, mode, flags, Chunk.BLOCK_STATUS_EXT, id, length);
    at = buffer.writeUInt32BE(context, at);
    at = buffer.writeUInt32BE(list.length, at);
    for (const extent of list) {
      at = buffer.writeBigUInt64BE(extent.length, at);
      at = buffer.writeBigUInt64BE(statusOf(extent), at);
    }
    return buffer;
  }
  const length = 4 + list.length * 8;
  const buffer = Buffer.allocUnsafe(header + length);
  let at = putChunk(buffer, 0, mode, flags, Chunk.BLOCK_STATUS, id, length);
  at = buffer.writeUInt32BE(context, at);
  for (const extent of list) {
    const status = statusOf(extent);
    if (status > 0xffffffffn) throw new DiskError("EINVAL", "the status has 64 bits: it takes a client with extended headers");
    at = buffer.writeUInt32BE(Number(extent.length), at);
    at = buffer.writeUInt32BE(Number(status), at);
  }
  return buffer;
}

function statusOf(extent: Extent | StatusExtent): bigint {
  if ("status" in extent) return extent.status;
  return BigInt((extent.hole === true ? Allocation.HOLE : 0) | (extent.zero === true ? Allocation.ZERO : 0));
}
