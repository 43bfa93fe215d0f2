// Receives the requests of the transmission phase: a state machine over whatever pieces the bytes arrive in.

import { Command, CommandFlag, EXTENDED_REQUEST_MAGIC, EXTENDED_REQUEST_SIZE, REQUEST_MAGIC, REQUEST_SIZE } from "./constants.ts";

/** The header of the request that is being handled. One object serves a connection: copy what is needed later. */
export interface RequestHeader {
  flags: number;
  type: number;
  cookieHigh: number;
  cookieLow: number;
  offset: bigint;
  /** Bytes that the request is about; exact up to 2^53, and beyond that past the end of any range a request may have. */
  length: number;
  /** `length` exactly, for commands whose length may pass 2^53 (extended headers). */
  exactLength: bigint;
  /** Bytes of payload that follow the header. */
  payload: number;
}

/** What is done with requests as they arrive. */
export interface RequestHandler {
  /** A header has arrived whose payload follows: where to put it. `undefined`: it is read and thrown away, then `refused` is called. */
  accept(header: RequestHeader): PayloadPlan;
  /** A request is complete. `payload` is lent until this returns if `borrowed`, else it came from {@link RequestHandler.allocate}. */
  request(header: RequestHeader, payload: Uint8Array | undefined, borrowed: boolean): void;
  /** A request whose payload was thrown away is over. */
  refused(header: RequestHeader): void;
  /** A buffer for a payload that does not lie whole in what has been received. */
  allocate(length: number): Uint8Array;
}

/** What to do with a payload: hand it on, read and drop it, or give up on the client. */
export type PayloadPlan = "take" | "drop" | "fatal";

/** The client broke the protocol in a way after which nothing it sends can be understood. */
export class FramingError extends Error {
  override readonly name = "FramingError";
}

const HEADER = 0;
const PAYLOAD = 1;
const DROP = 2;

/**
 * The state machine. Feed it with {@link RequestReceiver.consume}; it calls the handler for each request and stops between two of
 * them when the handler says {@link RequestReceiver.pause}.
 */
export class RequestReceiver {
  readonly header: RequestHeader = { flags: 0, type: 0, cookieHigh: 0, cookieLow: 0, offset: 0n, length: 0, exactLength: 0n, payload: 0 };
  readonly #handler: RequestHandler;
  readonly #extended: boolean;
  readonly #magic: number;
  readonly #headerSize: number;
  readonly #partial = Buffer.alloc(EXTENDED_REQUEST_SIZE);
  #partialLength = 0;
  #state = HEADER;
  #target: Uint8Array | undefined;
  #filled = 0;
  #drop = 0;
  #paused = false;

  constructor(handler: RequestHandler, extended: boolean) {
    this.#handler = handler;
    this.#extended = extended;
    this.#magic = extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC;
    this.#headerSize = extended ? EXTENDED_REQUEST_SIZE : REQUEST_SIZE;
  }

  /** Stops before the next request; what has arrived of it stays with the caller. */
  pause(): void {
    this.#paused = true;
  }

  /** Goes on: feed the rest. */
  resume(): void {
    this.#paused = false;
  }

  /** Whether the client has sent part of a request. */
  get midRequest(): boolean {
    return this.#state !== HEADER || this.#partialLength > 0;
  }

  /** The rest of the payload that is being received, so that a socket can read straight into it; see {@link RequestReceiver.filled}. */
  get wanted(): Uint8Array | undefined {
    return this.#state === PAYLOAD ? this.#target?.subarray(this.#filled) : undefined;
  }

  /** `length` bytes of {@link RequestReceiver.wanted} have arrived there. */
  filled(length: number): void {
    this.#filled += length;
    if (this.#filled === this.header.payload) this.#finishPayload();
  }

  /** Takes bytes from `chunk`; returns how many: fewer than given only when paused. Throws {@link FramingError}. */
  consume(chunk: Buffer): number {
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      if (this.#state === HEADER) {
        if (this.#paused) return at;
        if (this.#partialLength === 0 && end - at >= this.#headerSize) {
          this.#parse(chunk, at);
          at += this.#headerSize;
        } else {
          const length = Math.min(this.#headerSize - this.#partialLength, end - at);
          chunk.copy(this.#partial, this.#partialLength, at, at + length);
          at += length;
          this.#partialLength += length;
          // A wrong magic is known by its first four bytes: a client that is no NBD client need not send a whole header to be found out.
          if (this.#partialLength >= 4) this.#checkMagic(this.#partial, 0);
          if (this.#partialLength < this.#headerSize) return at;
          this.#partialLength = 0;
          this.#parse(this.#partial, 0);
        }
        const { header } = this;
        if (header.payload === 0) {
          this.#handler.request(header, undefined, false);
          continue;
        }
        const plan = this.#handler.accept(header);
        if (plan === "fatal") throw new FramingError(`a payload of ${header.payload} bytes, more than is read here`);
        if (plan === "drop") {
          this.#drop = header.payload;
          this.#state = DROP;
        } else if (end - at >= header.payload) {
          const payload = chunk.subarray(at, at + header.payload);
          at += header.payload;
          this.#handler.request(header, payload, true);
        } else {
          this.#target = this.#handler.allocate(header.payload);
          this.#filled = 0;
          this.#state = PAYLOAD;
        }
      } else if (this.#state === PAYLOAD) {
        const length = Math.min(this.header.payload - this.#filled, end - at);
        (this.#target as Uint8Array).set(chunk.subarray(at, at + length), this.#filled);
        at += length;
        this.filled(length);
      } else {
        const length = Math.min(this.#drop, end - at);
        at += length;
        this.#drop -= length;
        if (this.#drop === 0) {
          this.#state = HEADER;
          this.#handler.refused(this.header);
        }
      }
    }
    return at;
  }

  #finishPayload(): void {
    const payload = this.#target as Uint8Array;
    this.#target = undefined;
    this.#state = HEADER;
    this.#handler.request(this.header, payload, false);
  }

  #checkMagic(buffer: Buffer, at: number): void {
    const magic = buffer.readUInt32BE(at);
    if (magic !== this.#magic)
      throw new FramingError(`a request that starts with 0x${magic.toString(16)} instead of 0x${this.#magic.toString(16)}`);
  }

  #parse(buffer: Buffer, at: number): void {
    this.#checkMagic(buffer, at);
    const { header } = this;
    header.flags = buffer.readUInt16BE(at + 4);
    header.type = buffer.readUInt16BE(at + 6);
    header.cookieHigh = buffer.readUInt32BE(at + 8);
    header.cookieLow = buffer.readUInt32BE(at + 12);
    header.offset = buffer.readBigUInt64BE(at + 16);
    if (this.#extended) {
      header.exactLength = buffer.readBigUInt64BE(at + 24);
      header.length = Number(header.exactLength);
      header.payload = (header.flags & CommandFlag.PAYLOAD_LEN) !== 0 ? header.length : 0;
    } else {
      header.length = buffer.readUInt32BE(at + 24);
      header.payload = header.type === Command.WRITE ? header.length : 0;
    }
  }
}
