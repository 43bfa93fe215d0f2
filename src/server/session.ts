// One client from its first byte to its last: handshake, transmission, and an end at which everything is closed.

import { setMaxListeners } from "node:events";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { DiskError, errorText } from "../contract/error.ts";
import type { ClientInfo, ExportInfo, Peer, Plugin } from "../contract/plugin.ts";
import { Reply } from "../protocol/constants.ts";
import { OptionError } from "../protocol/options.ts";
import { RequestReceiver } from "../protocol/requests.ts";
import { type Agreement, type NegotiationHost, ServerNegotiation } from "../protocol/server-negotiation.ts";
import type { BufferPool } from "./buffers.ts";
import type { BusyPoll } from "./busy-poll.ts";
import { ChosenExport } from "./chosen.ts";
import { type ConnectionEvent, connectionClose, connectionOpen, reportError } from "./diagnostics.ts";
import type { Exports, Visible } from "./exports.ts";
import type { OpenedExport } from "./opened.ts";
import type { Limits } from "./options.ts";
import { Output } from "./output.ts";
import { withSignal } from "./peer.ts";
import { Transmission } from "./transmission.ts";
import { type Receiver, Transport } from "./transport.ts";

/** What the sessions of a server share. */
export interface SessionContext {
  readonly exports: Exports;
  readonly limits: Limits;
  readonly pool: BufferPool;
  readonly busyPoll: BusyPoll;
  readonly readonly: boolean;
}

/** A client that does not close its side after the end is let go of after so many milliseconds. */
const LINGER = 5_000;
/** When the server's deadline is over, so long may requests take to heed the abort signal, and clients to take the last replies, in milliseconds. */
const GRACE = 1_000;
/** Replies to options that a client may leave lying, in bytes: it is to read them before it asks for more. */
const HANDSHAKE_BACKLOG = 1024 * 1024;

const nothing = Buffer.alloc(0);

/** Serves one client. Never throws: what goes wrong ends the session and is told by {@link Session.over} or diagnostics. */
export class Session implements Receiver, NegotiationHost<OpenedExport> {
  /** Settles when the client is gone and its disk closed; rejects with what failed in closing. */
  readonly over: Promise<void>;
  readonly #number: number;
  readonly #context: SessionContext;
  readonly #peer: Peer;
  readonly #controller = new AbortController();
  readonly #stream: Duplex;
  readonly #chosen: ChosenExport;
  #settle!: (error: unknown) => void;
  #transport: Transport | undefined;
  #output: Output | undefined;
  #visible: Visible | undefined;
  #negotiation: ServerNegotiation<OpenedExport> | undefined;
  #requests: RequestReceiver | undefined;
  #transmission: Transmission | undefined;
  /** Bytes that could not be taken yet. */
  #rest: Buffer | undefined;
  /** The client has ended its side, with bytes of it still to be taken. */
  #endsAfterRest = false;
  #paused = false;
  /** Requests are being handled: replies may be half written. */
  #feeding = false;
  #progressing = false;
  #timer: NodeJS.Timeout | undefined;
  /** No more requests are taken: the session ends when those under way are answered. */
  #leaving = false;
  #closing = false;
  #tornDown = false;
  #streamGone = false;
  #diskClosed: { readonly error: unknown } | undefined;
  #finished = false;
  #reason: string | undefined;
  #lingering: NodeJS.Timeout | undefined;

  constructor(context: SessionContext, stream: Duplex, peer: Peer, number: number) {
    this.#context = context;
    this.#stream = stream;
    this.#peer = withSignal(peer, this.#controller.signal);
    this.#number = number;
    // As many requests as are under way may listen to it.
    setMaxListeners(0, this.#controller.signal);
    this.#chosen = new ChosenExport(
      context.limits.payload,
      (options) => this.#disconnect(options?.immediately ?? false),
      (error) => this.#report("closing a client's disk", error),
    );
    this.over = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
  }

  /** Whether the client has this export of this plugin open, or is about to. */
  uses(plugin: Plugin, exportName: string): boolean {
    return this.#chosen.uses(plugin, exportName);
  }

  /**
   * Begins. Until the plugin has agreed to the client nothing is sent.
   *
   * @param accepted - the stream is a socket that was accepted and has not been read from
   */
  async start(accepted: boolean): Promise<void> {
    if (connectionOpen.hasSubscribers) connectionOpen.publish(this.#event());
    const { handshakeTimeout } = this.#context.limits;
    if (handshakeTimeout !== Infinity) {
      this.#timer = setTimeout(() => this.#end(`no export was agreed on within ${handshakeTimeout} ms`), handshakeTimeout).unref();
    }
    const early = (error?: Error): void => this.closed(error);
    this.#stream.on("error", early).on("close", early);
    try {
      this.#visible = await this.#context.exports.preconnect(this.#peer);
    } catch (error) {
      return this.#end(`the plugin refused the client: ${errorText(error)}`);
    }
    if (this.#tornDown) return;
    if (this.#closing) return this.#end(undefined);
    this.#stream.off("error", early).off("close", early);
    this.#attach(this.#stream, accepted);
    this.#negotiation = new ServerNegotiation(this, this.#context.limits);
    this.#flush();
  }

  /**
   * Stops: what is under way may be finished until the signal comes, then it is answered ESHUTDOWN. An idle client is let go at once.
   */
  stop(deadline: Promise<void>): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#transmission?.stop();
    if (this.#tornDown) this.#endStream(GRACE);
    else this.#settleDown();
    void deadline.then(
      () => this.#cutShort(),
      () => undefined,
    );
  }

  // What the transport tells.

  receive(chunk: Buffer): void {
    this.#context.busyPoll.touch();
    const rest = this.#rest;
    // A stream in memory may deliver while replies are written to it, which is within the handling of what came before.
    if (this.#feeding) this.#rest = Buffer.concat(rest === undefined ? [chunk] : [rest, chunk]);
    else this.#feed(rest === undefined ? chunk : Buffer.concat([rest, chunk]));
  }

  wanted(): Uint8Array | undefined {
    return this.#paused ? undefined : this.#requests?.wanted;
  }

  filled(length: number): void {
    this.#context.busyPoll.touch();
    if (this.#leaving || this.#tornDown) return;
    this.#feeding = true;
    try {
      this.#rest = this.#requests?.filled(length);
    } catch (error) {
      this.#feeding = false;
      return this.#breakOff(errorText(error));
    }
    this.#afterFeed();
  }

  ended(): void {
    if (this.#leaving || this.#tornDown) return this.#settleDown();
    // A socket's client is gone now, so what it asked for is of no use any more; a pipe has two ends.
    const gone = this.#peer.transport === "tcp" || this.#peer.transport === "unix";
    if (this.#rest !== undefined && !gone) {
      this.#endsAfterRest = true;
      return;
    }
    if (this.#transmission === undefined) return this.#breakOff("the client left during the handshake");
    this.#reason = this.#requests?.midRequest === true ? "the client left in the middle of a request" : undefined;
    this.#leaving = true;
    if (gone) this.#closeDisk();
    this.#settleDown();
  }

  closed(error: Error | undefined): void {
    if (error !== undefined) this.#reason ??= errorText(error);
    this.#tearDown();
    this.#gone();
  }

  drained(): void {
    this.#continue();
  }

  // What the handshake asks for.

  get closing(): boolean {
    return this.#closing;
  }

  send(bytes: Uint8Array): void {
    this.#output?.push(bytes);
  }

  ready(): void {
    if (this.#tornDown) return;
    this.#flush();
    if (this.#closing) return this.#settleDown();
    this.#continue();
  }

  async list(): Promise<readonly ExportInfo[]> {
    try {
      return await (this.#visible as Visible).list(this.#client());
    } catch (error) {
      throw this.#optionError("listing exports", error, Reply.ERR_POLICY);
    }
  }

  async open(name: string): Promise<OpenedExport> {
    try {
      return await this.#chosen.open(name, this.#visible as Visible, this.#client());
    } catch (error) {
      throw this.#optionError(`opening export ${JSON.stringify(name)}`, error, Reply.ERR_UNKNOWN);
    }
  }

  transmit({ export: opened, mode, contexts }: Agreement<OpenedExport>): void {
    clearTimeout(this.#timer);
    this.#negotiation = undefined;
    const { limits, pool } = this.#context;
    this.#transmission = new Transmission({
      disk: opened.disk,
      readonly: opened.readonly,
      mode,
      contexts,
      flags: opened.flags(mode, contexts.length),
      limits,
      pool,
      output: this.#output as Output,
      connection: this.#number,
      keepChunk: () => this.#transport?.keep(),
      progressed: () => this.#progressed(),
      stopReading: () => this.#requests?.pause(),
      disconnect: () => this.#leave(),
    });
    this.#requests = new RequestReceiver(this.#transmission, mode === "extended");
  }

  end(reason: string | undefined): void {
    clearTimeout(this.#timer);
    this.#leaving = true;
    this.#reason = reason;
    if (reason !== undefined) this.#breakOff(reason);
  }

  // What happens in between.

  #attach(stream: Duplex, accepted: boolean): void {
    const transport = new Transport(stream, this, accepted);
    const { stream: own } = transport;
    const wide = this.#peer.transport === "unix" ? () => transport.widen() : undefined;
    this.#transport = transport;
    this.#output = new Output(own, this.#context.pool, own instanceof Socket || this.#peer.transport === "stdio", wide);
  }

  #client(): ClientInfo {
    return { peer: this.#peer, readonly: this.#context.readonly, tls: false, signal: this.#controller.signal };
  }

  #feed(chunk: Buffer): void {
    this.#rest = undefined;
    if (this.#leaving || this.#tornDown) return;
    let at = 0;
    this.#feeding = true;
    try {
      if (this.#negotiation !== undefined) at = this.#negotiation.consume(chunk);
      // The handshake may have ended with these bytes.
      if (this.#requests !== undefined && at < chunk.length) {
        if (this.#full) this.#requests.pause();
        at += this.#requests.consume(at === 0 ? chunk : chunk.subarray(at));
      }
    } catch (error) {
      this.#feeding = false;
      return this.#breakOff(errorText(error));
    }
    if (at < chunk.length && !this.#leaving) this.#rest = Buffer.concat([chunk.subarray(at), this.#rest ?? nothing]);
    this.#afterFeed();
  }

  #afterFeed(): void {
    this.#feeding = false;
    this.#flush();
    if (this.#leaving || this.#closing) this.#settleDown();
    if (this.#leaving) return;
    const full = this.#full;
    if (full) this.#requests?.pause();
    if (full || this.#rest !== undefined || this.#negotiation?.busy === true) this.#pause();
    else this.#requests?.resume();
    // What filled it up has been sent by now: the rest gets its turn after what else there is to do.
    if (this.#paused && !full) setImmediate(() => this.#continue());
  }

  /** Whether the client has so much under way, or left lying, that no more is taken from it. */
  get #full(): boolean {
    return this.#transmission === undefined ? (this.#output?.pending ?? 0) >= HANDSHAKE_BACKLOG : this.#transmission.full;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport?.pause();
  }

  /** Reads on if there is room again. */
  #continue(): void {
    if (!this.#paused || this.#tornDown || this.#negotiation?.busy === true || this.#full) return;
    this.#requests?.resume();
    this.#paused = false;
    const rest = this.#rest;
    if (rest !== undefined) this.#feed(rest);
    // Feeding may have filled it up again.
    if (this.#paused) return;
    this.#transport?.resume();
    if (this.#endsAfterRest) this.ended();
  }

  #flush(): void {
    if (!this.#tornDown) this.#output?.flush();
  }

  /** Answers that come in the same turn of the event loop go out together. */
  #progressed(): void {
    if (this.#progressing) return;
    this.#progressing = true;
    setImmediate(() => {
      this.#progressing = false;
      this.#flush();
      this.#settleDown();
      this.#continue();
    });
  }

  #leave(): void {
    this.#leaving = true;
    this.#requests?.pause();
  }

  /** The plugin wants the client to go. */
  #disconnect(immediately: boolean): void {
    if (this.#leaving || this.#tornDown) return;
    this.#reason = "the plugin let the client go";
    // Before the first request there is nothing to be answered.
    if (immediately || this.#transmission === undefined) return this.#end(this.#reason);
    this.#leave();
    this.#settleDown();
  }

  /** Ends the session if it is to end and nothing is under way. */
  #settleDown(): void {
    if (this.#tornDown || this.#feeding) return;
    if (!this.#leaving && !this.#closing) return;
    if (this.#negotiation?.busy === true) return;
    if ((this.#transmission?.pending ?? 0) > 0) return;
    this.#flush();
    this.#endStream(LINGER);
  }

  /** The time for finishing is over: what does not end now is left behind. */
  #cutShort(): void {
    if (this.#finished) return;
    if (!this.#tornDown) {
      this.#transmission?.abandon();
      this.#flush();
      this.#reason ??= "the server closed before its requests were done";
      this.#endStream(GRACE);
      this.#tearDown();
    }
    this.#timer = setTimeout(() => this.#finish(this.#unfinished()), GRACE);
  }

  /** The client broke the protocol, or off: it gets the replies that are there, and nothing else. */
  #breakOff(reason: string): void {
    this.#leaving = true;
    this.#reason ??= reason;
    this.#flush();
    this.#endStream(GRACE);
    this.#tearDown();
  }

  /** Ends at once. */
  #end(reason: string | undefined): void {
    this.#leaving = true;
    this.#reason ??= reason;
    this.#endStream(GRACE);
    this.#stream_().destroy();
    this.#tearDown();
  }

  #stream_(): Duplex {
    return this.#transport?.stream ?? this.#stream;
  }

  /** Sends what is queued, then the end; `linger` milliseconds later the client is let go of. */
  #endStream(linger: number): void {
    const stream = this.#stream_();
    if (stream.destroyed) return;
    const destroy = (): void => void stream.destroy();
    if (!stream.writableEnded) stream.end();
    // A server that closes waits for nobody's goodbye.
    if (!this.#closing && !stream.readableEnded) stream.resume();
    else if (stream.writableFinished) destroy();
    else stream.once("finish", destroy);
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => {
      destroy();
      this.#gone();
    }, linger).unref();
  }

  /** The stream is closed. */
  #gone(): void {
    clearTimeout(this.#lingering);
    this.#streamGone = true;
    if (this.#diskClosed !== undefined) this.#finish(this.#diskClosed.error);
  }

  /** The stream is gone or of no use any more. */
  #tearDown(): void {
    if (this.#tornDown) return;
    this.#tornDown = true;
    clearTimeout(this.#timer);
    this.#closeDisk();
  }

  /** Tells the requests under way to stop, and closes the disk once they have. */
  #closeDisk(): void {
    if (this.#controller.signal.aborted) return;
    this.#controller.abort();
    this.#chosen.close().then(
      () => this.#closedDisk(undefined),
      (error: unknown) => {
        // Once the session is over nobody waits for this any more.
        if (!this.#closing || this.#finished) this.#report("closing a client's disk", error);
        this.#closedDisk(error);
      },
    );
  }

  #closedDisk(error: unknown): void {
    this.#diskClosed = { error };
    if (this.#streamGone) this.#finish(error);
  }

  #finish(failure: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#timer);
    if (connectionClose.hasSubscribers) connectionClose.publish(this.#event());
    this.#settle(this.#closing ? failure : undefined);
  }

  #unfinished(): DiskError {
    const pending = this.#transmission?.pending ?? 0;
    const what = this.#chosen.opening ? "opening" : pending > 0 ? `${pending} requests` : "closing";
    return new DiskError("ETIMEDOUT", `export ${JSON.stringify(this.#chosen.name ?? "")}: ${what} did not end when told to`);
  }

  /** What a failed option tells the client: the text only of errors that are made for it. */
  #optionError(during: string, error: unknown, reply: number): OptionError {
    if (error instanceof OptionError) return error;
    if (DiskError.is(error)) return new OptionError(reply, error.message);
    this.#report(during, error);
    return new OptionError(reply, `${during} failed`);
  }

  #event(): ConnectionEvent {
    const event = { connection: this.#number, peer: this.#peer, exportName: this.#chosen.name };
    return this.#reason === undefined ? event : { ...event, reason: this.#reason };
  }

  #report(during: string, error: unknown): void {
    reportError({ connection: this.#number, during, error });
  }
}
