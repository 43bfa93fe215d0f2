// One connection to a server after negotiation: requests go out with cookies, replies come back in any order.

import type { StatusExtent } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { ExportAgreement } from "../protocol/client-negotiation.ts";
import { type ReplyOwner, ReplyReceiver } from "../protocol/client-replies.ts";
import { PendingRequest, putRequest, requestSize } from "../protocol/client-requests.ts";
import { Command, CommandFlag, TransmissionFlag } from "../protocol/constants.ts";
import type { Channel, ChannelOwner } from "./channel.ts";
import { Outbox } from "./outbox.ts";

/** Received straight into the reader's own buffer from here on: a fifth less CPU time for reads of 1 MiB, no more for any (bench/client.ts). */
const DIRECT = 32 * 1024;

/** A connection in its transmission phase. */
export class Session implements ReplyOwner, ChannelOwner {
  readonly agreement: ExportAgreement;
  /** Requests under way. */
  inFlight = 0;

  readonly #channel: Channel;
  readonly #outbox: Outbox;
  readonly #receiver: ReplyReceiver;
  readonly #extended: boolean;
  readonly #lost: (error: unknown) => void;
  /** The requests under way; a request's place is the lower half of its cookie, the upper half is its number. */
  readonly #slots: (PendingRequest | undefined)[] = [];
  readonly #free: number[] = [];
  #number = 0;
  /** Why no more requests are taken. */
  #refusal: { readonly code: string; readonly why: string; readonly error: unknown } | undefined;
  #idle: (() => void) | undefined;

  readonly #requestTimeout: number;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param lost - called once when the connection is broken, after the requests under way have been rejected
   */
  constructor(channel: Channel, agreement: ExportAgreement, requestTimeout: number, lost: (error: unknown) => void) {
    this.agreement = agreement;
    this.#channel = channel;
    this.#outbox = new Outbox(channel);
    this.#receiver = new ReplyReceiver(agreement.mode, this);
    this.#extended = agreement.mode === "extended";
    this.#requestTimeout = requestTimeout > 2 ** 31 - 1 ? Number.POSITIVE_INFINITY : requestTimeout;
    this.#lost = lost;
    channel.own(this);
  }

  /** Reads. All of `target` is filled when the promise is fulfilled, and nothing is written to it once that is settled. */
  read(target: Uint8Array, offset: bigint): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new PendingRequest(Command.READ, 0, offset, target.length, target, undefined, resolve as () => void, reject);
      this.#send(request, 0, target.length, undefined);
    });
  }

  /** Writes; `source` must stay as it is until the promise is settled. */
  write(source: Uint8Array, offset: bigint, flags: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new PendingRequest(Command.WRITE, flags, offset, source.length, undefined, undefined, resolve as () => void, reject);
      this.#send(request, this.#extended ? flags | CommandFlag.PAYLOAD_LEN : flags, source.length, source);
    });
  }

  /** Any other command without a payload. */
  command(command: number, offset: bigint, length: bigint, flags: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new PendingRequest(command, flags, offset, length, undefined, undefined, resolve as () => void, reject);
      this.#send(request, flags, length, undefined);
    });
  }

  /** Asks for the status of a range in one of the negotiated contexts. */
  blockStatus(contextId: number, offset: bigint, length: bigint, flags: number): Promise<StatusExtent[]> {
    return new Promise((resolve, reject) => {
      const request = new PendingRequest(Command.BLOCK_STATUS, flags, offset, length, undefined, contextId, resolve as () => void, reject);
      const { flags: exportFlags, contexts } = this.agreement;
      if ((exportFlags & TransmissionFlag.BLOCK_STATUS_PAYLOAD) === 0 || contexts.length === 1) {
        this.#send(request, flags, length, undefined);
        return;
      }
      // The payload form spares the server, and us, the contexts that nobody asked about.
      const payload = Buffer.alloc(12);
      payload.writeBigUInt64BE(length, 0);
      payload.writeUInt32BE(contextId, 8);
      this.#send(request, flags | CommandFlag.PAYLOAD_LEN, payload.length, payload);
    });
  }

  /** Waits for the requests under way, then takes leave. Settles when the server has hung up. */
  async close(): Promise<void> {
    this.#refuse("ESHUTDOWN", "the disk is closed");
    if (this.inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#leave();
  }

  /** Breaks off: what is under way is rejected with `error`. */
  abort(error: unknown): void {
    this.#channel.fail(error);
  }

  // What the channel and the receiver call.

  receive(bytes: Uint8Array): void {
    this.#receiver.receive(bytes);
  }

  space(): Uint8Array | undefined {
    const space = this.#receiver.space(DIRECT);
    // Shared memory cannot be read into directly.
    return space?.buffer instanceof ArrayBuffer ? space : undefined;
  }

  received(count: number): void {
    this.#receiver.received(count);
  }

  lost(error: unknown): void {
    this.#refuse(DiskError.is(error) ? error.code : "ECONNABORTED", "the connection is gone", error);
    clearTimeout(this.#timer);
    const requests = this.#slots.filter((request) => request !== undefined);
    this.#slots.length = 0;
    this.inFlight = 0;
    for (const request of requests) request.reject(this.#rejection(request));
    this.#idle?.();
    this.#lost(error);
  }

  find(cookieHigh: number, cookieLow: number): PendingRequest | undefined {
    const request = this.#slots[cookieLow];
    return request !== undefined && request.cookieHigh === cookieHigh ? request : undefined;
  }

  hasContext(id: number): boolean {
    return this.agreement.contexts.some((context) => context.id === id);
  }

  settle(request: PendingRequest): void {
    this.#slots[request.cookieLow] = undefined;
    this.#free.push(request.cookieLow);
    this.inFlight -= 1;
    const { error } = request;
    if (error === undefined) {
      request.resolve(request.extents);
    } else {
      // The protocol wants a client to leave a server that is shutting down.
      if (error.code === "ESHUTDOWN") this.#refuse(error.code, "the server is shutting down");
      request.reject(error);
    }
    if (this.inFlight > 0 || this.#refusal === undefined) return;
    if (this.#idle !== undefined) this.#idle();
    else void this.#leave();
  }

  #send(request: PendingRequest, flags: number, length: number | bigint, payload: Uint8Array | undefined): void {
    if (this.#refusal !== undefined) {
      request.reject(this.#rejection(request));
      return;
    }
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#number = (this.#number + 1) >>> 0;
    request.cookieHigh = this.#number;
    request.cookieLow = slot;
    this.#slots[slot] = request;
    this.inFlight += 1;
    if (this.#requestTimeout !== Number.POSITIVE_INFINITY) this.#watch(request);
    const outbox = this.#outbox;
    const at = outbox.reserve(requestSize(this.#extended));
    putRequest(outbox.buffer, at, this.#extended, request, flags, length);
    if (payload !== undefined) outbox.push(payload);
  }

  #refuse(code: string, why: string, error?: unknown): void {
    if (this.#refusal === undefined || error !== undefined) this.#refusal = { code, why, error };
  }

  /** Why a request cannot be answered: in the words of what broke the connection, or that very reason when it was the user's own. */
  #rejection(request: PendingRequest): unknown {
    const { code, why, error } = this.#refusal as { code: string; why: string; error: unknown };
    if (error === undefined) return request.failure(code, why);
    return DiskError.is(error) ? request.failure(code, error.message, { cause: error }) : error;
  }

  #leave(): Promise<void> {
    clearTimeout(this.#timer);
    const at = this.#outbox.reserve(requestSize(this.#extended));
    const nothing = (): void => undefined;
    const goodbye = new PendingRequest(Command.DISC, 0, 0n, 0, undefined, undefined, nothing, nothing);
    putRequest(this.#outbox.buffer, at, this.#extended, goodbye, 0, 0);
    this.#outbox.flush();
    return this.#channel.finish();
  }

  /** One timer for all requests: it looks for the oldest when it fires. */
  #watch(request: PendingRequest): void {
    request.sent = performance.now();
    this.#timer ??= setTimeout(() => this.#checkTime(), this.#requestTimeout);
  }

  #checkTime(): void {
    this.#timer = undefined;
    let oldest: PendingRequest | undefined;
    for (const request of this.#slots)
      if (request !== undefined && !(oldest !== undefined && oldest.sent <= request.sent)) oldest = request;
    if (oldest === undefined) return;
    const left = oldest.sent + this.#requestTimeout - performance.now();
    if (left > 0) this.#timer = setTimeout(() => this.#checkTime(), left);
    else
      this.abort(new DiskError("ETIMEDOUT", `the server did not answer the request to ${oldest.wish()} within ${this.#requestTimeout} ms`));
  }
}
