// A client's options and the replies to them (protocol document, "Fixed newstyle negotiation").

import { DiskError } from "../contract/error.ts";
import { refusal, serverText, violation } from "./client-errors.ts";
import { read, type Script, send } from "./client-script.ts";
import { MAX_STRING, OPTION_MAGIC, OPTION_REPLY_MAGIC, Option, Reply } from "./constants.ts";

/** A single reply is never longer: two strings and some numbers. */
const MAX_REPLY = 65_536;
/** A server's list of exports or contexts ends somewhere. */
const MAX_REPLIES = 65_536;
const MAX_REPLY_BYTES: number = 16 * 1024 * 1024;

/** How the server answered an option. */
export interface Answer {
  /** The final reply when it is an error. */
  readonly error: { readonly type: number; readonly text: string } | undefined;
  /** The payloads of the replies before the final one. */
  readonly replies: readonly Buffer[];
}

/** Sends an option and collects the replies, which must be of type `expected`. A refusal is an answer too, except for those that end it all. */
export function* ask(option: number, data: Uint8Array, expected: number | undefined, wish: string): Script<Answer> {
  yield* send(encodeOption(option, data));
  const replies: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { type, payload } = yield* readReply(option, wish);
    if (type === Reply.ACK) {
      if (payload.length > 0) throw violation(`its acknowledgement to ${wish} carries ${payload.length} bytes`);
      return { error: undefined, replies };
    }
    if (type >= 0x80000000) {
      const text = serverText(payload);
      if (type === Reply.ERR_SHUTDOWN || type === Reply.ERR_TLS_REQD) throw yield* leave(refusal(wish, type, text));
      return { error: { type, text }, replies };
    }
    if (type !== expected) throw violation(`a reply of type ${type} to the request to ${wish}`);
    bytes += payload.length;
    if (replies.length === MAX_REPLIES || bytes > MAX_REPLY_BYTES) {
      throw violation(`its replies to the request to ${wish} do not end: ${replies.length} replies, ${bytes} bytes`);
    }
    replies.push(payload);
  }
}

/** Takes leave as the protocol wants it, without waiting for the answer; gives back `error` to be thrown. */
export function* leave<E>(error: E): Script<E> {
  yield* send(encodeOption(Option.ABORT));
  return error;
}

function* readReply(option: number, wish: string): Script<{ type: number; payload: Buffer }> {
  const header = yield* read(20, `the answer to the request to ${wish}`);
  if (header.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC) throw violation(`no option reply, but ${header.toString("hex", 0, 8)}`);
  const answered = header.readUInt32BE(8);
  if (answered !== option) throw violation(`a reply to option ${answered}, where option ${option} was sent`);
  const length = header.readUInt32BE(16);
  if (length > MAX_REPLY) throw violation(`an option reply of ${length} bytes (at most ${MAX_REPLY} make sense)`);
  const payload = yield* read(length, `the rest of the answer to the request to ${wish}`);
  return { type: header.readUInt32BE(12), payload };
}

/** An option with its header. */
export function encodeOption(option: number, data: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(16 + data.length);
  bytes.writeBigUInt64BE(OPTION_MAGIC, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(data.length, 12);
  bytes.set(data, 16);
  return bytes;
}

/** The data of GO and INFO. */
export function infoData(exportName: string, infos: readonly number[]): Buffer {
  const name = encodeString(exportName, "an export name");
  const requests = Buffer.alloc(2 + 2 * infos.length);
  requests.writeUInt16BE(infos.length, 0);
  for (const [index, info] of infos.entries()) requests.writeUInt16BE(info, 2 + 2 * index);
  return Buffer.concat([uint32(name.length), name, requests]);
}

/** The data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export function metaData(exportName: string, queries: readonly string[]): Buffer {
  const parts = [exportName, ...queries].map((text) => encodeString(text, "a name"));
  const [name, ...rest] = parts.map((part) => Buffer.concat([uint32(part.length), part]));
  return Buffer.concat([name as Buffer, uint32(queries.length), ...rest]);
}

/** A string for the wire. Throws EINVAL when it is none. */
export function encodeString(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > MAX_STRING || bytes.includes(0)) {
    throw new DiskError("EINVAL", `${what} of ${bytes.length} bytes: NBD allows at most ${MAX_STRING} bytes of UTF-8 without NUL`);
  }
  return bytes;
}

/** A name from the wire. */
export function decodeName(bytes: Buffer, what: string): string {
  if (bytes.length > MAX_STRING) throw violation(`${what} of ${bytes.length} bytes (at most ${MAX_STRING})`);
  if (bytes.includes(0)) throw violation(`${what} with a NUL in it`);
  return bytes.toString("utf8");
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}
