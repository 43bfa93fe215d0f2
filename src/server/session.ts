// One client from its first byte to its last: handshake, transmission, and an end at which everything is closed.

import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import { DiskError, errorText } from "../contract/error.ts";
import type { ClientInfo, ExportInfo, Peer, Plugin } from "../contract/plugin.ts";
import { Reply } from "../protocol/constants.ts";
import { OptionError } from "../protocol/options.ts";
import { RequestReceiver } from "../protocol/requests.ts";
import { type Agreement, type NegotiationHost, ServerNegotiation } from "../protocol/server-negotiation.ts";
import type { BufferPool } from "./buffers.ts";
import type { BusyPoll } from "./busy-poll.ts";
import { connectionClose, connectionOpen, serverError } from "./diagnostics.ts";
import type { Exports, Visible } from "./exports.ts";
import { type OpenedExport, openExport } from "./opened.ts";
import type { Limits } from "./options.ts";
import { Output } from "./output.ts";
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
/** So long may requests take to heed the abort signal, in milliseconds. */
const ABORT_GRACE = 1_000;

/** Serves one client. Never throws: what goes wrong ends the session and is told by {@link Session.over} or diagnostics. */
export class Session implements Receiver, NegotiationHost<OpenedExport> {
  /** Settles when the client is gone and its disk closed; rejects with what failed in closing. */
  readonly over: Promise<void>;
  readonly #number: number;
  readonly #context: SessionContext;
  readonly #peer: Peer;
  readonly #controller = new AbortController();
  readonly #stream: Duplex;
  #settle!: (error: unknown) => void;
  #transport: Transport | undefined;
  #output: Output | undefined;
  #visible: Visible | undefined;
  #negotiation: ServerNegotiation<OpenedExport> | undefined;
  #requests: RequestReceiver | undefined;
  #transmission: Transmission | undefined;
  /** The export that is open, under the name that the client used for it. */
  #opened: { readonly asked: string; readonly value: OpenedExport } | undefined;
  /** Bytes that could not be taken yet. */
  #rest: Buffer | undefined;
  #paused = false;
  #progressing = false;
  #timer: NodeJS.Timeout | undefined;
  /** No more requests are taken: the session ends when those under way are answered. */
  #leaving = false;
  #closing = false;
  #tornDown = false;
  #reason: string | undefined;
  #idle: (() => void) | undefined;

  constructor(context: SessionContext, stream: Duplex, peer: Peer, number: number) {
    this.#context = context;
    this.#stream = stream;
    this.#peer = peer;
    this.#number = number;
    // As many requests as are under way may listen to it.
    setMaxListeners(0, this.#controller.signal);
    this.over = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
  }

  /** Whether the client has this export of this plugin open. */
  uses(plugin: Plugin, exportName: string): boolean {
    const choice = this.#opened?.value.choice;
    return choice?.plugin === plugin && choice.exportName === exportName;
  }

  /**
   * Begins. Until the plugin has agreed to the client nothing is sent.
   *
   * @param accepted - the stream is a socket that was accepted and has not been read from
   */
  async start(accepted: boolean): Promise<void> {
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
    if (connectionOpen.hasSubscribers) connectionOpen.publish(this.#event());
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
    this.#settleDown();
    void deadline.then(() => this.#cutShort());
  }

  // What the transport tells.

  receive(chunk: Buffer): void {
    this.#context.busyPoll.touch();
    this.#feed(this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]));
  }

  wanted(): Uint8Array | undefined {
    return this.#paused ? undefined : this.#requests?.wanted;
  }

  filled(length: number): void {
    this.#context.busyPoll.touch();
    if (this.#leaving || this.#tornDown) return;
    try {
      this.#requests?.filled(length);
    } catch (error) {
      this.#flush();
      return this.#end(errorText(error));
    }
    this.#afterFeed();
  }

  ended(): void {
    if (this.#leaving || this.#tornDown) return this.#settleDown();
    if (this.#transmission === undefined) return this.#end("the client left during the handshake");
    this.#reason = this.#requests?.midRequest === true ? "the client left in the middle of a request" : undefined;
    this.#leaving = true;
    // A socket's client is gone now, so what it asked for is of no use any more; a pipe has two ends.
    if (this.#peer.transport === "tcp" || this.#peer.transport === "unix") this.#controller.abort();
    this.#settleDown();
  }

  closed(error: Error | undefined): void {
    if (error !== undefined) this.#reason ??= errorText(error);
    void this.#tearDown();
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
    if (this.#opened?.asked === name) return this.#opened.value;
    try {
      await this.#closeOpened();
      const client = this.#client();
      const choice = await (this.#visible as Visible).choose(name, client);
      const value = await openExport(choice, client, this.#context.limits.payload);
      this.#opened = { asked: name, value };
      // The client may have left meanwhile: then nobody else closes what was opened for it.
      if (this.#tornDown) await this.#closeOpened();
      return value;
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
    this.#leaving = true;
    this.#reason = reason;
    if (reason !== undefined) this.#end(reason);
  }

  // What happens in between.

  #attach(stream: Duplex, accepted: boolean): void {
    this.#transport = new Transport(stream, this, accepted);
    this.#output = new Output(this.#transport.stream, this.#context.pool);
  }

  #client(): ClientInfo {
    return { peer: this.#peer, readonly: this.#context.readonly, tls: false, signal: this.#controller.signal };
  }

  #feed(chunk: Buffer): void {
    this.#rest = undefined;
    if (this.#leaving || this.#tornDown) return;
    let at = 0;
    try {
      if (this.#negotiation !== undefined) at = this.#negotiation.consume(chunk);
      // The handshake may have ended with these bytes.
      if (this.#requests !== undefined && at < chunk.length) {
        if (this.#transmission?.full) this.#requests.pause();
        at += this.#requests.consume(at === 0 ? chunk : chunk.subarray(at));
      }
    } catch (error) {
      this.#flush();
      return this.#end(errorText(error));
    }
    if (at < chunk.length && !this.#leaving) this.#rest = Buffer.from(chunk.subarray(at));
    this.#afterFeed();
  }

  #afterFeed(): void {
    this.#flush();
    if (this.#leaving) return this.#settleDown();
    const full = this.#transmission?.full === true;
    if (full) this.#requests?.pause();
    if (full || this.#rest !== undefined || this.#negotiation?.busy === true) this.#pause();
    // What filled it up has been sent by now: the rest gets its turn after what else there is to do.
    if (this.#paused && !full) setImmediate(() => this.#continue());
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport?.pause();
  }

  /** Reads on if there is room again. */
  #continue(): void {
    if (!this.#paused || this.#tornDown || this.#negotiation?.busy === true || this.#transmission?.full === true) return;
    this.#requests?.resume();
    this.#paused = false;
    const rest = this.#rest;
    if (rest !== undefined) this.#feed(rest);
    // Feeding may have filled it up again.
    if (!this.#paused) this.#transport?.resume();
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

  /** Ends the session if it is to end and nothing is under way. */
  #settleDown(): void {
    if (!this.#leaving && !this.#closing) return;
    if (this.#negotiation?.busy === true) return;
    if ((this.#transmission?.pending ?? 0) > 0) return;
    if (this.#idle !== undefined) return this.#idle();
    if (this.#tornDown) return;
    this.#flush();
    this.#endStream();
  }

  /** The time for finishing is over. */
  #cutShort(): void {
    if (this.#tornDown) return;
    this.#transmission?.abandon();
    this.#flush();
    this.#reason ??= "the server closed before its requests were done";
    this.#endStream();
    void this.#tearDown();
  }

  /** Ends at once. */
  #end(reason: string | undefined): void {
    this.#leaving = true;
    this.#reason ??= reason;
    this.#flush();
    this.#stream_().destroy();
    void this.#tearDown();
  }

  #stream_(): Duplex {
    return this.#transport?.stream ?? this.#stream;
  }

  /** Sends what is queued, then the end. */
  #endStream(): void {
    const stream = this.#stream_();
    if (stream.destroyed || stream.writableEnded) return;
    const destroy = (): void => void stream.destroy();
    if (this.#closing) stream.end(destroy);
    else stream.end();
    const timer = setTimeout(destroy, LINGER).unref();
    stream.once("close", () => clearTimeout(timer));
    // A client that is leaving may still say something: it is not listened to, but its end is waited for.
    stream.resume();
    if (stream.readableEnded) stream.once("finish", destroy);
  }

  async #tearDown(): Promise<void> {
    if (this.#tornDown) return;
    this.#tornDown = true;
    clearTimeout(this.#timer);
    this.#controller.abort();
    let failure: unknown;
    try {
      await this.#quiet();
      await this.#closeOpened();
    } catch (error) {
      failure = error;
      if (!this.#closing) reportError({ connection: this.#number, during: "closing a client's disk", error });
    }
    if (connectionClose.hasSubscribers) connectionClose.publish(this.#event());
    this.#settle(this.#closing ? failure : undefined);
  }

  /** Waits for the requests under way, which have been told to stop. */
  async #quiet(): Promise<void> {
    const pending = (): number => this.#transmission?.pending ?? 0;
    if (pending() === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<void>((resolve) => {
      this.#leaving = true;
      this.#idle = resolve;
    });
    const grace = new Promise<void>((resolve) => {
      if (this.#closing) timer = setTimeout(resolve, ABORT_GRACE);
    });
    await Promise.race([idle, grace]);
    clearTimeout(timer);
    if (pending() > 0) {
      throw new DiskError(
        "ETIMEDOUT",
        `${pending()} requests of export ${JSON.stringify(this.#opened?.asked)} did not end when they were told to`,
      );
    }
  }

  async #closeOpened(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.value.disk.close();
  }

  /** What a failed option tells the client: the text only of errors that are made for it. */
  #optionError(during: string, error: unknown, reply: number): OptionError {
    if (error instanceof OptionError) return error;
    if (DiskError.is(error)) return new OptionError(reply, error.message);
    reportError({ connection: this.#number, during, error });
    return new OptionError(reply, `${during} failed`);
  }

  #event() {
    const { asked } = this.#opened ?? {};
    return { connection: this.#number, peer: this.#peer, exportName: asked, ...(this.#reason !== undefined && { reason: this.#reason }) };
  }
}

/** An error that nobody waits for: to the channel, or to the process's warnings where nobody listens. */
function reportError(event: { readonly connection: number; readonly during: string; readonly error: unknown }): void {
  if (serverError.hasSubscribers) serverError.publish(event);
  else process.emitWarning(`diskwright: ${event.during} failed: ${errorText(event.error)}`, "DiskwrightWarning");
}
