// The stream to a client: bytes arrive in one reused buffer where the platform allows it, else in 'data' events.

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { native } from "../native/index.ts";

/** Who takes the bytes. */
export interface Receiver {
  /** Bytes have arrived; they are lent until this returns, unless {@link Transport.keep} is called meanwhile. */
  receive(chunk: Buffer): void;
  /** Where the next bytes should go to, instead of the transport's own buffer. */
  wanted(): Uint8Array | undefined;
  /** So many bytes have arrived there. */
  filled(length: number): void;
  /** The client will send no more. */
  ended(): void;
  /** The stream is gone. */
  closed(error: Error | undefined): void;
  /** What was written has been taken. */
  drained(): void;
}

/** Bytes that may lie in a unix socket until its client takes them, once its replies are large. Linux gives 208 KiB by itself. */
const WIDE = 512 * 1024;

const FIRST_BUFFER = 16 * 1024;
const LARGEST_BUFFER = 256 * 1024;

/** A stream and how its bytes come. */
export class Transport {
  readonly stream: Duplex;
  readonly #receiver: Receiver;
  /** The buffer that the next bytes are read into; grows while clients fill it. */
  #own: Buffer | undefined;
  #direct: Uint8Array | undefined;
  #detached = false;
  #receiving = false;

  /**
   * @param stream - any Duplex
   * @param accepted - the stream is a socket that was accepted with `pauseOnConnect`: it is read through a reused buffer
   */
  constructor(stream: Duplex, receiver: Receiver, accepted: boolean) {
    this.#receiver = receiver;
    this.stream = (accepted ? this.#withReusedBuffer(stream) : undefined) ?? stream;
    if (this.stream === stream) stream.on("data", this.#onData);
    this.stream.on("end", this.#onEnd);
    this.stream.on("error", this.#onError);
    this.stream.on("close", this.#onClose);
    this.stream.on("drain", this.#onDrain);
    this.stream.resume();
  }

  /** The chunk that is being received, if one is, stays with the receiver for good: nothing else will be read into it. */
  keep(): void {
    if (this.#receiving) this.#own = undefined;
  }

  /**
   * Makes room for large replies in a unix socket, which keeps its size otherwise, as TCP's do not: less often is each end waiting for the other to
   * write or take the rest of a reply.
   */
  widen(): void {
    const { _handle: handle } = this.stream as unknown as { readonly _handle?: { readonly fd?: number } | null };
    const fd = handle?.fd;
    if (fd === undefined || fd < 0) return;
    try {
      native()?.sendBuffer(fd, WIDE);
    } catch {
      // As it was is good enough.
    }
  }

  /** Stops reading. */
  pause(): void {
    this.stream.pause();
  }

  /** Reads on. */
  resume(): void {
    this.stream.resume();
  }

  /** Lets go of the stream without closing it, so that another transport can take it over: the first step to TLS. */
  detach(): Duplex {
    this.#detached = true;
    this.stream.pause();
    this.stream.off("data", this.#onData);
    this.stream.off("end", this.#onEnd);
    this.stream.off("error", this.#onError);
    this.stream.off("close", this.#onClose);
    this.stream.off("drain", this.#onDrain);
    return this.stream;
  }

  #error: Error | undefined;
  readonly #onData = (chunk: Buffer): void => this.#receiver.receive(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  readonly #onEnd = (): void => this.#receiver.ended();
  readonly #onError = (error: Error): void => {
    this.#error = error;
  };
  readonly #onClose = (): void => this.#receiver.closed(this.#error);
  readonly #onDrain = (): void => this.#receiver.drained();

  /**
   * Wraps an accepted socket anew so that it reads into a buffer of ours (`onread`), which makes writes 1.3 to 1.5 times as fast. Node
   * offers that to outgoing sockets alone, so the handle is moved; where that is not possible the socket is used as it is.
   */
  #withReusedBuffer(stream: Duplex): Duplex | undefined {
    const handle = stream instanceof Socket ? (stream as unknown as { _handle: Handle | null })._handle : null;
    if (handle === null || typeof handle.useUserBuffer !== "function") return undefined;
    const onread = {
      buffer: (): Uint8Array => this.#nextBuffer(),
      callback: (length: number): boolean => {
        this.#read(length);
        return !this.#detached;
      },
    };
    const socket = new Socket({ handle, onread, pauseOnCreate: true, allowHalfOpen: true, readable: true, writable: true } as never);
    // The first socket is only the server's record of a connection now: it goes when the real one does.
    (stream as unknown as { _handle: Handle | null })._handle = null;
    socket.once("close", () => stream.destroy());
    return socket;
  }

  #nextBuffer(): Uint8Array {
    this.#direct = this.#receiver.wanted();
    if (this.#direct !== undefined) return this.#direct;
    this.#own ??= Buffer.allocUnsafeSlow(FIRST_BUFFER);
    return this.#own;
  }

  #read(length: number): void {
    if (this.#direct !== undefined) {
      this.#direct = undefined;
      this.#receiver.filled(length);
      return;
    }
    const own = this.#own as Buffer;
    this.#receiving = true;
    this.#receiver.receive(own.subarray(0, length));
    this.#receiving = false;
    if (this.#own === undefined) this.#own = Buffer.allocUnsafeSlow(own.length);
    else if (length === own.length && length < LARGEST_BUFFER) this.#own = Buffer.allocUnsafeSlow(length * 4);
  }
}

/** The part of a socket's handle that is needed. */
interface Handle {
  useUserBuffer?: unknown;
}
