// The payloads of negotiation options as a client sends them, and the replies to them.

import { Info, MAX_STRING, OPTION_REPLY_MAGIC, Reply } from "./constants.ts";
import { truncate } from "./replies.ts";

/** What INFO and GO ask for. */
export interface InfoQuery {
  readonly name: string;
  /** Numbers of the wanted information; see `Info`. */
  readonly wanted: readonly number[];
}

/** What LIST_META_CONTEXT and SET_META_CONTEXT ask for. */
export interface MetaQuery {
  readonly name: string;
  readonly queries: readonly string[];
}

/** What an option's payload is not. Its text goes to the client. */
export class OptionError extends Error {
  override readonly name = "OptionError";
  /** The error reply; see `Reply`. */
  readonly reply: number;

  constructor(reply: number, message: string) {
    super(message);
    this.reply = reply;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a string of the protocol: UTF-8 without NUL, at most 4096 bytes. */
export function parseString(bytes: Uint8Array, what: string): string {
  if (bytes.length > MAX_STRING)
    throw new OptionError(Reply.ERR_INVALID, `${what} has ${bytes.length} bytes: at most ${MAX_STRING} are allowed`);
  if (bytes.includes(0)) throw new OptionError(Reply.ERR_INVALID, `${what} contains a NUL`);
  try {
    return utf8.decode(bytes);
  } catch {
    throw new OptionError(Reply.ERR_INVALID, `${what} is not UTF-8`);
  }
}

/** Reads the payload of INFO and GO. Throws {@link OptionError}. */
export function parseInfoQuery(data: Buffer): InfoQuery {
  if (data.length < 6) throw tooShort();
  const nameLength = data.readUInt32BE(0);
  if (nameLength > data.length - 6) throw new OptionError(Reply.ERR_INVALID, "the export name is longer than the option");
  const name = parseString(data.subarray(4, 4 + nameLength), "the export name");
  const count = data.readUInt16BE(4 + nameLength);
  const start = 6 + nameLength;
  if (data.length !== start + 2 * count)
    throw new OptionError(Reply.ERR_INVALID, `the option has not the length of ${count} information requests`);
  const wanted: number[] = [];
  for (let i = 0; i < count; i += 1) wanted.push(data.readUInt16BE(start + 2 * i));
  return { name, wanted };
}

/** Reads the payload of LIST_META_CONTEXT and SET_META_CONTEXT. Throws {@link OptionError}. */
export function parseMetaQuery(data: Buffer, maxQueries: number): MetaQuery {
  if (data.length < 8) throw tooShort();
  const nameLength = data.readUInt32BE(0);
  if (nameLength > data.length - 8) throw new OptionError(Reply.ERR_INVALID, "the export name is longer than the option");
  const name = parseString(data.subarray(4, 4 + nameLength), "the export name");
  let at = 4 + nameLength;
  const count = data.readUInt32BE(at);
  at += 4;
  if (count > maxQueries) throw new OptionError(Reply.ERR_TOO_BIG, `${count} queries: at most ${maxQueries} are answered`);
  const queries: string[] = [];
  for (let i = 0; i < count; i += 1) {
    if (data.length - at < 4) throw tooShort();
    const length = data.readUInt32BE(at);
    at += 4;
    if (length > data.length - at) throw new OptionError(Reply.ERR_INVALID, `query ${i + 1} is longer than the option`);
    queries.push(parseString(data.subarray(at, at + length), `query ${i + 1}`));
    at += length;
  }
  if (at !== data.length) throw new OptionError(Reply.ERR_INVALID, `${data.length - at} bytes follow the last query`);
  return { name, queries };
}

function tooShort(): OptionError {
  return new OptionError(Reply.ERR_INVALID, "the option is too short");
}

/** A reply to an option. */
export function optionReply(option: number, type: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const reply = Buffer.allocUnsafe(20 + payload.length);
  reply.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  reply.writeUInt32BE(option, 8);
  reply.writeUInt32BE(type, 12);
  reply.writeUInt32BE(payload.length, 16);
  reply.set(payload, 20);
  return reply;
}

/** An error reply with its text. */
export function optionError(option: number, type: number, text: string): Buffer {
  return optionReply(option, type, truncate(text));
}

/** `NBD_REP_SERVER`: one export of a list. */
export function serverReply(option: number, name: string, description = ""): Buffer {
  const nameBytes = Buffer.from(name);
  const payload = Buffer.alloc(4 + nameBytes.length);
  payload.writeUInt32BE(nameBytes.length);
  nameBytes.copy(payload, 4);
  return optionReply(option, Reply.SERVER, Buffer.concat([payload, truncate(description)]));
}

/** `NBD_INFO_EXPORT`: size and transmission flags. */
export function exportInfo(option: number, size: bigint, flags: number): Buffer {
  const payload = Buffer.alloc(12);
  payload.writeUInt16BE(Info.EXPORT, 0);
  payload.writeBigUInt64BE(size, 2);
  payload.writeUInt16BE(flags, 10);
  return optionReply(option, Reply.INFO, payload);
}

/** `NBD_INFO_NAME` and `NBD_INFO_DESCRIPTION`. */
export function textInfo(option: number, info: number, text: string): Buffer {
  const payload = Buffer.concat([Buffer.alloc(2), truncate(text)]);
  payload.writeUInt16BE(info, 0);
  return optionReply(option, Reply.INFO, payload);
}

/** `NBD_INFO_BLOCK_SIZE`. */
export function blockSizeInfo(option: number, minimum: number, preferred: number, maximum: number): Buffer {
  const payload = Buffer.alloc(14);
  payload.writeUInt16BE(Info.BLOCK_SIZE, 0);
  payload.writeUInt32BE(minimum, 2);
  payload.writeUInt32BE(preferred, 6);
  payload.writeUInt32BE(maximum, 10);
  return optionReply(option, Reply.INFO, payload);
}

/** `NBD_REP_META_CONTEXT`. */
export function contextReply(option: number, id: number, name: string): Buffer {
  const payload = Buffer.concat([Buffer.alloc(4), Buffer.from(name)]);
  payload.writeUInt32BE(id, 0);
  return optionReply(option, Reply.META_CONTEXT, payload);
}
