// What a client says when the server refuses, fails or breaks the protocol.

import { DiskError } from "../contract/error.ts";
import { ErrorNumber, MAX_STRING, Reply } from "./constants.ts";
import { codeOf, defaultText } from "./errors.ts";

/** The server broke a rule of the protocol: nothing that it sends from here on can be trusted. */
export function violation(what: string): DiskError {
  return new DiskError("EPROTO", `the server broke the NBD protocol: ${what}`);
}

/** A server's text, safe to print: one line without control characters, no longer than the protocol's longest string. */
export function serverText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_STRING)).toString("utf8");
  const clean = text.replace(/[\p{Cc}\s\u202a-\u202e\u2066-\u2069]+/gu, " ").trim();
  // What is no UTF-8 has become longer.
  return Buffer.byteLength(clean) <= MAX_STRING ? clean : clean.slice(0, MAX_STRING / 4);
}

const refusals: Readonly<Record<number, readonly [code: string, why: string]>> = {
  [Reply.ERR_UNSUP]: ["ENOTSUP", "it does not know how to"],
  [Reply.ERR_POLICY]: ["EACCES", "its policy forbids it"],
  [Reply.ERR_INVALID]: ["EINVAL", "it calls the request invalid"],
  [Reply.ERR_PLATFORM]: ["ENOTSUP", "its platform cannot"],
  [Reply.ERR_TLS_REQD]: ["ENOTSUP", "it requires TLS, and TLS is not there yet"],
  [Reply.ERR_UNKNOWN]: ["ENOENT", "it has no such export"],
  [Reply.ERR_SHUTDOWN]: ["ESHUTDOWN", "it is shutting down"],
  [Reply.ERR_BLOCK_SIZE_REQD]: ["EINVAL", "it insists on its block sizes"],
  [Reply.ERR_TOO_BIG]: ["EOVERFLOW", "the request is too big for it"],
  [Reply.ERR_EXT_HEADER_REQD]: ["ENOTSUP", "it insists on extended headers"],
};

/** The server answered an option with an error. */
export function refusal(wish: string, type: number, text: string): DiskError {
  const [code, why] = refusals[type] ?? ["EIO", `error 0x${type.toString(16)}`];
  return new DiskError(code, `the server refuses to ${wish}: ${why}${text === "" ? "" : ` (it says: ${text})`}`);
}

const known: ReadonlySet<number> = new Set(Object.values(ErrorNumber));

/** The server answered a request with an error, and perhaps said why. */
export function errorAnswer(number: number, text: string): string {
  const words = known.has(number) ? defaultText(number) : `error number ${number}`;
  return text === "" ? `the server answers ${codeOf(number)} (${words})` : `the server answers ${codeOf(number)}: ${text}`;
}
