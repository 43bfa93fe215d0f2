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
  /**
   * A buffer for a payload that does not lie whole in what has been received. With room for a header behind the payload, the next request's is read
   * together with the payload's end.
   */
  allocate(header: RequestHeader): Uint8Array;
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

/** Payloads from this size on are received straight into their own buffer, headers between them by themselves. */
const LARGE = 64 * 1024;

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

  /**
   * Where the next bytes had best be read to, so that a large payload need not be copied: the rest of its buffer, and while large
   * ones follow each other, their headers by themselves or behind it. See {@link RequestReceiver.filled}.
   */
  get wanted(): Uint8Array | undefined {
    if (this.header.payload < LARGE) return undefined;
    if (this.#state === PAYLOAD) return (this.#target as Uint8Array).subarray(this.#filled, this.header.payload + this.#headerSize);
    return this.#state === HEADER && !this.#paused ? this.#partial.subarray(this.#partialLength, this.#headerSize) : undefined;
  }

  /**
   * `length` bytes of {@link RequestReceiver.wanted} have arrived there. Answers those of the next request that it did not take, being paused; feed them
   * later. Throws {@link FramingError}.
   */
  filled(length: number): Buffer | undefined {
    if (this.#state === PAYLOAD) return this.#filledPayload(length);
    if (!this.#gatherHeader(length)) return undefined;
    if (this.header.payload === 0) this.#handler.request(this.header, undefined, false);
    else if (this.#takesPayload()) this.#allocate();
    return undefined;
  }

  #filledPayload(length: number): Buffer | undefined {
    const { payload } = this.header;
    const end = this.#filled + length;
    if (end <= payload) {
      this.#gatherPayload(length);
      return undefined;
    }
    // The handler may use the buffer again, so this is taken out of it first.
    const next = Buffer.from((this.#target as Uint8Array).subarray(payload, end));
    this.#gatherPayload(length - next.length);
    const taken = this.consume(next);
    return taken === next.length ? undefined : next.subarray(taken);
  }

  /** Takes bytes from `chunk`; returns how many: fewer than given only when paused. Throws {@link FramingError}. */
  consume(chunk: Buffer): number {
    const { header } = this;
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      if (this.#state === HEADER) {
        if (this.#paused) return at;
        if (this.#partialLength === 0 && end - at >= this.#headerSize) {
          this.#parse(chunk, at);
          at += this.#headerSize;
        } else {
          const length = chunk.copy(this.#partial, this.#partialLength, at, Math.min(end, at + this.#headerSize - this.#partialLength));
          at += length;
          if (!this.#gatherHeader(length)) return at;
        }
        const { payload } = header;
        if (payload === 0) {
          this.#handler.request(header, undefined, false);
        } else if (!this.#takesPayload()) {
          // It is dropped as it arrives.
        } else if (end - at < payload) {
          this.#allocate();
        } else {
          this.#handler.request(header, chunk.subarray(at, at + payload), true);
          at += payload;
        }
      } else if (this.#state === PAYLOAD) {
        const length = Math.min(header.payload - this.#filled, end - at);
        (this.#target as Uint8Array).set(chunk.subarray(at, at + length), this.#filled);
        at += length;
        this.#gatherPayload(length);
      } else {
        const length = Math.min(this.#drop, end - at);
        at += length;
        this.#drop -= length;
        if (this.#drop === 0) {
          this.#state = HEADER;
          this.#handler.refused(header);
        }
      }
    }
    return at;
  }

  /** So much has come of a header that arrives in pieces; true when that was the last. */
  #gatherHeader(length: number): boolean {
    this.#partialLength += length;
    // A wrong magic is known by its first four bytes: a client that is no NBD client need not send a whole header to be found out.
    if (this.#partialLength >= 4) this.#checkMagic(this.#partial, 0);
    if (this.#partialLength < this.#headerSize) return false;
    this.#partialLength = 0;
    this.#parse(this.#partial, 0);
    return true;
  }

  #takesPayload(): boolean {
    const { payload } = this.header;
    const plan = this.#handler.accept(this.header);
    if (plan === "fatal") throw new FramingError(`a payload of ${payload} bytes, more than is read here`);
    if (plan === "take") return true;
    this.#drop = payload;
    this.#state = DROP;
    return false;
  }

  #allocate(): void {
    this.#target = this.#handler.allocate(this.header);
    this.#filled = 0;
    this.#state = PAYLOAD;
  }

  #gatherPayload(length: number): void {
    this.#filled += length;
    if (this.#filled < this.header.payload) return;
    const target = this.#target as Uint8Array;
    const payload = target.length === this.#filled ? target : target.subarray(0, this.#filled);
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
