// Answers requests that carry no data: done, or failed and why.

import { DiskError, errorCode } from "../contract/error.ts";
import { Chunk, ChunkFlag, ErrorNumber, SIMPLE_REPLY_SIZE } from "../protocol/constants.ts";
import { defaultText, errorNumber } from "../protocol/errors.ts";
import { chunkHeaderSize, errorChunk, putChunk, putSimpleReply, type ReplyMode, type RequestId } from "../protocol/replies.ts";
import type { Output } from "./output.ts";

/** A request as far as its error reply depends on it. */
export interface Failing extends RequestId {
  readonly length: number;
  /** The codes that only some requests may be answered with. */
  readonly allows?: "ENOTSUP" | "EOVERFLOW";
}

/** Writes replies in the negotiated form. */
export class Replier {
  readonly mode: ReplyMode;
  readonly #output: Output;
  readonly #headerSize: number;

  constructor(output: Output, mode: ReplyMode) {
    this.#output = output;
    this.mode = mode;
    this.#headerSize = mode === "extended" ? chunkHeaderSize(mode) : SIMPLE_REPLY_SIZE;
  }

  /** The request is done and has nothing to tell. */
  done(id: RequestId): void {
    const at = this.#output.reserve(this.#headerSize);
    const { buffer } = this.#output;
    if (this.mode === "extended") putChunk(buffer, at, this.mode, ChunkFlag.DONE, Chunk.NONE, id, 0);
    else putSimpleReply(buffer, at, 0, id.cookieHigh, id.cookieLow);
  }

  /** The request failed. Only a DiskError's text is shown to the client: others may tell of paths and hosts. */
  failed(request: Failing, error: unknown): void {
    const number = wireNumber(errorCode(error), request.allows);
    if (this.mode === "simple") {
      const at = this.#output.reserve(SIMPLE_REPLY_SIZE);
      putSimpleReply(this.#output.buffer, at, number, request.cookieHigh, request.cookieLow);
      return;
    }
    const known = DiskError.is(error);
    const offset = known && inRequest(error.offset, request) ? error.offset : undefined;
    this.#output.push(errorChunk(this.mode, request, number, known ? error.message : defaultText(number), offset));
  }
}

function wireNumber(code: string, allows: string | undefined): number {
  const number = errorNumber(code);
  if (number === ErrorNumber.ENOTSUP) return allows === "ENOTSUP" ? number : ErrorNumber.EINVAL;
  if (number === ErrorNumber.EOVERFLOW) return allows === "EOVERFLOW" ? number : ErrorNumber.EINVAL;
  return number;
}

function inRequest(offset: bigint | undefined, request: Failing): boolean {
  return typeof offset === "bigint" && offset >= request.offset && offset < request.offset + BigInt(request.length);
}
