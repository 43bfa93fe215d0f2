// Encoding of reply headers. Cookies are opaque: they stay two 32-bit halves and never become a bigint.

import {
  Chunk,
  ChunkFlag,
  EXTENDED_REPLY_MAGIC,
  EXTENDED_REPLY_SIZE,
  MAX_STRING,
  SIMPLE_REPLY_MAGIC,
  SIMPLE_REPLY_SIZE,
  STRUCTURED_REPLY_MAGIC,
  STRUCTURED_REPLY_SIZE,
} from "./constants.ts";

/** How replies look, as negotiated. */
export type ReplyMode = "simple" | "structured" | "extended";

/** What a reply takes over from its request. */
export interface RequestId {
  readonly cookieHigh: number;
  readonly cookieLow: number;
  /** Echoed by extended replies. */
  readonly offset: bigint;
}

/** What a reply that comes later needs of a request: headers are used again. */
export function requestId({ cookieHigh, cookieLow, offset }: RequestId): RequestId {
  return { cookieHigh, cookieLow, offset };
}

/** Writes a simple reply header at `at`; returns where it ends. */
export function putSimpleReply(buffer: Buffer, at: number, error: number, cookieHigh: number, cookieLow: number): number {
  buffer.writeUInt32BE(SIMPLE_REPLY_MAGIC, at);
  buffer.writeUInt32BE(error, at + 4);
  buffer.writeUInt32BE(cookieHigh, at + 8);
  buffer.writeUInt32BE(cookieLow, at + 12);
  return at + SIMPLE_REPLY_SIZE;
}

/** Bytes that {@link putChunk} writes. */
export function chunkHeaderSize(mode: ReplyMode): number {
  return mode === "extended" ? EXTENDED_REPLY_SIZE : STRUCTURED_REPLY_SIZE;
}

/** Writes the header of a chunk with `length` bytes of payload at `at`; returns where it ends. */
export function putChunk(buffer: Buffer, at: number, mode: ReplyMode, flags: number, type: number, id: RequestId, length: number): number {
  const extended = mode === "extended";
  buffer.writeUInt32BE(extended ? EXTENDED_REPLY_MAGIC : STRUCTURED_REPLY_MAGIC, at);
  buffer.writeUInt16BE(flags, at + 4);
  buffer.writeUInt16BE(type, at + 6);
  buffer.writeUInt32BE(id.cookieHigh, at + 8);
  buffer.writeUInt32BE(id.cookieLow, at + 12);
  if (!extended) {
    buffer.writeUInt32BE(length, at + 16);
    return at + STRUCTURED_REPLY_SIZE;
  }
  buffer.writeBigUInt64BE(id.offset, at + 16);
  buffer.writeUInt32BE(0, at + 24);
  buffer.writeUInt32BE(length, at + 28);
  return at + EXTENDED_REPLY_SIZE;
}

/** An error chunk that ends a reply, with its text and, if it is known, the offset at which the error happened. */
export function errorChunk(mode: ReplyMode, id: RequestId, error: number, text: string, offset?: bigint): Buffer {
  const message = truncate(text);
  const header = chunkHeaderSize(mode);
  const length = 6 + message.length + (offset === undefined ? 0 : 8);
  const buffer = Buffer.allocUnsafe(header + length);
  const type = offset === undefined ? Chunk.ERROR : Chunk.ERROR_OFFSET;
  let at = putChunk(buffer, 0, mode, ChunkFlag.DONE, type, id, length);
  at = buffer.writeUInt32BE(error, at);
  at = buffer.writeUInt16BE(message.length, at);
  at += message.copy(buffer, at);
  if (offset !== undefined) buffer.writeBigUInt64BE(offset, at);
  return buffer;
}

/** UTF-8 of at most `limit` bytes, cut between characters. */
export function truncate(text: string, limit: number = MAX_STRING): Buffer {
  const bytes = Buffer.from(text.replaceAll("\0", " "));
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
