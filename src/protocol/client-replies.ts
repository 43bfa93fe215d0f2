// The client's receiver: replies of every form from bytes in pieces of any size. A read's bytes go straight to where they are wanted;
// whatever does not fit the requests under way is a violation and ends the connection.

import { errorAnswer, serverText, violation } from "./client-errors.ts";
import { Gaps } from "./client-gaps.ts";
import type { PendingRequest } from "./client-requests.ts";
import { decodeStatus, descriptorCount, statusPrefixSize } from "./client-status.ts";
import {
  Chunk,
  ChunkFlag,
  Command,
  CommandFlag,
  EXTENDED_REPLY_MAGIC,
  MAX_STRING,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from "./constants.ts";
import { codeOf } from "./errors.ts";
import type { ReplyMode } from "./replies.ts";

/** What the receiver needs to know and has to tell. */
export interface ReplyOwner {
  /** The request under way with this cookie. */
  find(cookieHigh: number, cookieLow: number): PendingRequest | undefined;
  /** Whether this context was negotiated. */
  hasContext(id: number): boolean;
  /** The reply is complete: `request.error` says whether it failed. */
  settle(request: PendingRequest): void;
}

// What is being waited for.
const HEADER = 0;
const STRUCTURED_LENGTH = 1;
const PREFIX = 2;
const PAYLOAD = 3;

/** The longest error chunk that makes sense, also of a type yet unknown. */
const MAX_ERROR = 2 * MAX_STRING;

/** Reads replies. */
export class ReplyReceiver {
  readonly #mode: ReplyMode;
  readonly #owner: ReplyOwner;
  readonly #headerSize: number;

  #state = HEADER;
  /** Bytes that the next header or prefix takes. */
  #need: number;
  /** Holds one that arrives in pieces. */
  readonly #stash: Buffer = Buffer.alloc(32);
  #stashed = 0;

  /** The reply being read. */
  #request: PendingRequest | undefined;
  #type = 0;
  #last = false;
  #length = 0;
  /** Where the payload goes; without it, it is thrown away. */
  #payload: Uint8Array | undefined;
  #payloadAt = 0;
  #payloadLeft = 0;

  constructor(mode: ReplyMode, owner: ReplyOwner) {
    this.#mode = mode;
    this.#owner = owner;
    this.#headerSize = mode === "extended" ? 32 : 16;
    this.#need = this.#headerSize;
  }

  /** Takes what arrived. Throws where the server breaks the protocol; the receiver is of no use afterwards. */
  receive(bytes: Uint8Array): void {
    const input = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const end = input.length;
    let at = 0;
    while (at < end) {
      if (this.#state === PAYLOAD) {
        const count = Math.min(this.#payloadLeft, end - at);
        this.#payload?.set(count === end ? input : input.subarray(at, at + count), this.#payloadAt);
        at += count;
        this.received(count);
      } else if (this.#stashed === 0 && end - at >= this.#need) {
        const start = at;
        at += this.#need;
        this.#step(input, start);
      } else {
        const count = Math.min(this.#need - this.#stashed, end - at);
        input.copy(this.#stash, this.#stashed, at, at + count);
        at += count;
        this.#stashed += count;
        if (this.#stashed < this.#need) return;
        this.#stashed = 0;
        this.#step(this.#stash, 0);
      }
    }
  }

  /** Where the next `minimum` or more bytes to arrive belong, so that they can be received there; tell {@link received} how many were. */
  space(minimum: number): Uint8Array | undefined {
    if (this.#state !== PAYLOAD || this.#payloadLeft < minimum || this.#payload === undefined) return undefined;
    return this.#payload.subarray(this.#payloadAt, this.#payloadAt + this.#payloadLeft);
  }

  /** `count` bytes of the payload are in their place. */
  received(count: number): void {
    this.#payloadAt += count;
    this.#payloadLeft -= count;
    if (this.#payloadLeft === 0) this.#endPayload();
  }

  #step(buffer: Buffer, at: number): void {
    if (this.#state === HEADER) this.#header(buffer, at);
    else if (this.#state === STRUCTURED_LENGTH) this.#chunk(buffer.readUInt32BE(at));
    else this.#prefix(buffer, at);
  }

  #header(buffer: Buffer, at: number): void {
    const magic = buffer.readUInt32BE(at);
    if (!this.#fits(magic)) throw violation(`0x${magic.toString(16)} where a reply should begin (${this.#mode} replies were agreed on)`);
    const request = this.#owner.find(buffer.readUInt32BE(at + 8), buffer.readUInt32BE(at + 12));
    if (request === undefined)
      throw violation(`a reply with cookie 0x${buffer.toString("hex", at + 8, at + 16)}, which no request under way has`);
    this.#request = request;
    if (magic === SIMPLE_REPLY_MAGIC) {
      this.#simple(request, buffer.readUInt32BE(at + 4));
      return;
    }
    this.#last = (buffer.readUInt16BE(at + 4) & ChunkFlag.DONE) !== 0;
    this.#type = buffer.readUInt16BE(at + 6);
    if (magic === STRUCTURED_REPLY_MAGIC) {
      this.#wait(STRUCTURED_LENGTH, 4);
      return;
    }
    if (request.relative(buffer.readUInt32BE(at + 16), buffer.readUInt32BE(at + 20)) !== 0) {
      throw violation(`a reply with offset ${buffer.readBigUInt64BE(at + 16)} to the request to ${request.wish()}`);
    }
    if (buffer.readUInt32BE(at + 24) !== 0) throw this.#misfit(`a chunk of ${buffer.readBigUInt64BE(at + 24)} bytes`);
    this.#chunk(buffer.readUInt32BE(at + 28));
  }

  #fits(magic: number): boolean {
    if (this.#mode === "extended") return magic === EXTENDED_REPLY_MAGIC;
    return magic === SIMPLE_REPLY_MAGIC || (magic === STRUCTURED_REPLY_MAGIC && this.#mode === "structured");
  }

  #simple(request: PendingRequest, error: number): void {
    const { command } = request;
    if (request.replied) throw violation(`a simple reply amid the chunks of the reply to the request to ${request.wish()}`);
    if (this.#mode !== "simple" && (command === Command.READ || (command === Command.BLOCK_STATUS && error === 0))) {
      throw violation(`a simple reply to the request to ${request.wish()}, where structured replies were agreed on`);
    }
    if (error !== 0) {
      request.error = request.failure(codeOf(error), errorAnswer(error, ""));
      this.#finish(request);
    } else if (command === Command.READ) {
      request.complete = true;
      this.#last = true;
      this.#type = Chunk.OFFSET_DATA;
      this.#take(request.target as Uint8Array, 0, (request.target as Uint8Array).length);
    } else {
      this.#finish(request);
    }
  }

  /** A chunk's header has come: says what is to be read of its payload. */
  #chunk(length: number): void {
    const request = this.#request as PendingRequest;
    const type = this.#type;
    request.replied = true;
    this.#length = length;
    const { command } = request;
    const extended = this.#mode === "extended";
    if (type === Chunk.OFFSET_DATA && command === Command.READ) {
      if (length < 9 || length - 8 > (request.target as Uint8Array).length) throw this.#misfit(`a data chunk of ${length} bytes`);
      this.#wait(PREFIX, 8);
    } else if (type === Chunk.OFFSET_HOLE && command === Command.READ) {
      if (length !== 12) throw this.#misfit(`a hole chunk of ${length} bytes`);
      this.#wait(PREFIX, 12);
    } else if (type === Chunk.NONE) {
      if (length !== 0 || !this.#last)
        throw this.#misfit(`a chunk of type NONE with ${length} bytes${this.#last ? "" : " that is not the last"}`);
      this.#endChunk();
    } else if (type === (extended ? Chunk.BLOCK_STATUS_EXT : Chunk.BLOCK_STATUS) && command === Command.BLOCK_STATUS) {
      descriptorCount(length, extended);
      this.#wait(PREFIX, statusPrefixSize(extended));
    } else if (type >= 0x8000) {
      if (length < 6 || length > MAX_ERROR) throw this.#misfit(`an error chunk of ${length} bytes`);
      this.#take(Buffer.allocUnsafe(length), 0, length);
    } else {
      throw this.#misfit(`a chunk of type ${type}`);
    }
  }

  /** The fixed first part of a chunk's payload has come. */
  #prefix(buffer: Buffer, at: number): void {
    const request = this.#request as PendingRequest;
    if (request.command === Command.READ) this.#content(request, buffer, at);
    else this.#status(request, buffer, at);
  }

  #content(request: PendingRequest, buffer: Buffer, at: number): void {
    const hole = this.#type === Chunk.OFFSET_HOLE;
    const target = request.target as Uint8Array;
    const start = request.relative(buffer.readUInt32BE(at), buffer.readUInt32BE(at + 4));
    const count = hole ? buffer.readUInt32BE(at + 8) : this.#length - 8;
    if (start === 0 && count === target.length && !request.complete && request.gaps === undefined) request.complete = true;
    else this.#fillGap(request, start, count);
    if (!hole) {
      this.#take(target, start, count);
      return;
    }
    target.fill(0, start, start + count);
    this.#endChunk();
  }

  #status(request: PendingRequest, buffer: Buffer, at: number): void {
    const extended = this.#mode === "extended";
    const id = buffer.readUInt32BE(at);
    const count = descriptorCount(this.#length, extended);
    if (extended && buffer.readUInt32BE(at + 4) !== count) {
      throw this.#misfit(`a block status that says ${buffer.readUInt32BE(at + 4)} descriptors and has ${count}`);
    }
    if (!this.#owner.hasContext(id)) throw this.#misfit(`a block status of context ${id}, which was not negotiated`);
    request.contextsSeen ??= [];
    if (request.contextsSeen.includes(id)) throw this.#misfit(`a block status of context ${id}, which was there before`);
    request.contextsSeen.push(id);
    const left = this.#length - statusPrefixSize(extended);
    this.#take(id === request.contextId ? Buffer.allocUnsafe(left) : undefined, 0, left);
  }

  #fillGap(request: PendingRequest, start: number, count: number): void {
    const length = (request.target as Uint8Array).length;
    if (count < 1 || start < 0 || start + count > length) {
      throw this.#misfit(`a chunk of ${count} bytes at ${BigInt(start) + request.offset}, outside what was asked for`);
    }
    if (!request.complete) {
      request.gaps ??= new Gaps(length);
      if (request.gaps.fill(start, count)) return;
    }
    throw this.#misfit(`a chunk of ${count} bytes at ${BigInt(start) + request.offset}, some of which were there before`);
  }

  #take(payload: Uint8Array | undefined, at: number, length: number): void {
    this.#state = PAYLOAD;
    this.#payload = payload;
    this.#payloadAt = at;
    this.#payloadLeft = length;
    if (length === 0) this.#endPayload();
  }

  #endPayload(): void {
    const request = this.#request as PendingRequest;
    const payload = this.#payload;
    this.#payload = undefined;
    if (this.#type >= 0x8000) {
      this.#error(request, payload as Buffer);
    } else if (payload !== undefined && request.command === Command.BLOCK_STATUS) {
      const reqOne = (request.flags & CommandFlag.REQ_ONE) !== 0;
      request.extents = decodeStatus(payload as Buffer, this.#mode === "extended", request.offset, BigInt(request.length), reqOne);
    }
    this.#endChunk();
  }

  #error(request: PendingRequest, payload: Buffer): void {
    const number = payload.readUInt32BE(0);
    const textLength = payload.readUInt16BE(4);
    const withOffset = this.#type === Chunk.ERROR_OFFSET;
    if (number === 0) throw this.#misfit("an error chunk without an error");
    if (textLength > payload.length - (withOffset ? 14 : 6))
      throw this.#misfit(`an error chunk of ${payload.length} bytes with a text of ${textLength}`);
    const code = codeOf(number);
    const why = errorAnswer(number, serverText(payload.subarray(6, 6 + textLength)));
    if (!withOffset) {
      request.error ??= request.failure(code, why);
      return;
    }
    const offset = payload.readBigUInt64BE(6 + textLength);
    if (offset < request.offset || offset >= request.offset + BigInt(request.length)) {
      throw this.#misfit(`an error at offset ${offset}, outside what was asked for`);
    }
    request.error ??= request.failure(code, `${why} (at offset ${offset})`, { offset });
  }

  #endChunk(): void {
    if (this.#last) this.#finish(this.#request as PendingRequest);
    else this.#wait(HEADER, this.#headerSize);
  }

  #finish(request: PendingRequest): void {
    this.#wait(HEADER, this.#headerSize);
    this.#request = undefined;
    if (request.error === undefined) {
      const { command } = request;
      if (command === Command.READ && !request.complete && request.gaps?.missing !== 0) {
        const missing = request.gaps?.missing ?? request.length;
        throw violation(`the reply to the request to ${request.wish()} ends and ${missing} of the bytes have not come`);
      }
      if (command === Command.BLOCK_STATUS && request.extents === undefined) {
        throw violation(`the reply to the request to ${request.wish()} ends without a word of the context`);
      }
    }
    this.#owner.settle(request);
  }

  #wait(state: number, need: number): void {
    this.#state = state;
    this.#need = need;
  }

  #misfit(what: string): Error {
    return violation(`${what} in the reply to the request to ${(this.#request as PendingRequest).wish()}`);
  }
}
