// A server's side of the wire, written down byte by byte and without the code under test.

/** Big-endian numbers. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** One buffer of many parts; strings are UTF-8. */
export function join(...parts: readonly (Uint8Array | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
}

export const FIXED_NEWSTYLE = 1;
export const NO_ZEROES = 2;

export const EXPORT_NAME = 1;
export const ABORT = 2;
export const LIST = 3;
export const GO = 7;
export const STRUCTURED_REPLY = 8;
export const LIST_META_CONTEXT = 9;
export const SET_META_CONTEXT = 10;
export const EXTENDED_HEADERS = 11;

export const ACK = 1;
export const SERVER = 2;
export const INFO = 3;
export const META_CONTEXT = 4;
/** The error reply with this number. */
export function ERR(number: number): number {
  return 0x80000000 + number;
}
export const UNSUP: number = ERR(1);
export const POLICY: number = ERR(2);
export const TLS_REQD: number = ERR(5);
export const UNKNOWN: number = ERR(6);
export const SHUTDOWN: number = ERR(7);

export const HAS_FLAGS = 1;
export const READ_ONLY = 2;
export const SEND_FLUSH = 4;
export const SEND_FUA = 8;
export const ROTATIONAL = 16;
export const SEND_TRIM = 32;
export const SEND_WRITE_ZEROES = 64;
export const SEND_DF = 128;
export const CAN_MULTI_CONN = 256;
export const SEND_CACHE = 1024;
export const SEND_FAST_ZERO = 2048;
export const BLOCK_STATUS_PAYLOAD = 4096;

export const READ = 0;
export const WRITE = 1;
export const DISC = 2;
export const FLUSH = 3;
export const TRIM = 4;
export const CACHE = 5;
export const ZERO = 6;
export const BLOCK_STATUS = 7;

export const FUA = 1;
export const NO_HOLE = 2;
export const REQ_ONE = 8;
export const FAST_ZERO = 16;
export const PAYLOAD_LEN = 32;

/** Chunk types. */
export const NONE = 0;
export const DATA = 1;
export const HOLE = 2;
export const STATUS = 5;
export const STATUS_EXT = 6;
export const ERROR = 0x8001;
export const ERROR_OFFSET = 0x8002;

export const DONE = 1;
export const MORE = 0;

/** How a newstyle server greets. */
export function greeting(flags: number = FIXED_NEWSTYLE | NO_ZEROES): Buffer {
  return join("NBDMAGIC", "IHAVEOPT", u16(flags));
}

/** A reply to an option. */
export function optionReply(option: number, type: number, payload: Uint8Array | string = ""): Buffer {
  return join(u64(0x3e889045565a9n), u32(option), u32(type), u32(Buffer.byteLength(payload)), payload);
}

/** Size and flags of an export, as an INFO reply to GO. */
export function exportInfo(size: bigint, flags: number): Buffer {
  return optionReply(GO, INFO, join(u16(0), u64(size), u16(flags)));
}

/** Block sizes, as an INFO reply to GO. */
export function blockSizeInfo(minimum: number, preferred: number, maximum: number): Buffer {
  return optionReply(GO, INFO, join(u16(3), u32(minimum), u32(preferred), u32(maximum)));
}

/** A selected or listed context. */
export function contextReply(option: number, id: number, name: string): Buffer {
  return optionReply(option, META_CONTEXT, join(u32(id), name));
}

/** One export in a list. */
export function serverReply(name: string, description = ""): Buffer {
  return optionReply(LIST, SERVER, join(u32(Buffer.byteLength(name)), name, description));
}

export function simpleReply(cookie: bigint, error = 0, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  return join(u32(0x67446698), u32(error), u64(cookie), payload);
}

/** A chunk of a structured reply. */
export function chunk(cookie: bigint, flags: number, type: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  return join(u32(0x668e33ef), u16(flags), u16(type), u64(cookie), u32(payload.length), payload);
}

/** A chunk of an extended reply. */
export function extendedChunk(cookie: bigint, offset: bigint, flags: number, type: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  return join(u32(0x6e8a278c), u16(flags), u16(type), u64(cookie), u64(offset), u64(BigInt(payload.length)), payload);
}

/** The payload of an error chunk. */
export function errorPayload(number: number, text = "", offset?: bigint): Buffer {
  return join(u32(number), u16(Buffer.byteLength(text)), text, offset === undefined ? "" : u64(offset));
}

/** The payload of a data chunk. */
export function dataPayload(offset: bigint, data: Uint8Array | string): Buffer {
  return join(u64(offset), data);
}

/** The payload of a hole chunk. */
export function holePayload(offset: bigint, length: number): Buffer {
  return join(u64(offset), u32(length));
}

/** The payload of a block status chunk: extents of length and status. */
export function statusPayload(id: number, extents: readonly (readonly [length: number, status: number])[]): Buffer {
  return join(u32(id), ...extents.map(([length, status]) => join(u32(length), u32(status))));
}

/** The same with extended headers. */
export function extendedStatusPayload(id: number, extents: readonly (readonly [length: bigint, status: bigint])[]): Buffer {
  return join(u32(id), u32(extents.length), ...extents.map(([length, status]) => join(u64(length), u64(status))));
}

/** Cuts bytes into pieces of `size`. */
export function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}
