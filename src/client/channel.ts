// The stream to a server: what arrives goes to its owner, and whatever ends it, its owner hears of it once.

import type { Duplex } from "node:stream";
import { DiskError, errorCode, errorText } from "../contract/error.ts";

/** Who uses a channel. */
export interface ChannelOwner {
  /** Bytes have arrived; they are lent until this returns. Throws what the channel is to fail with. */
  receive(bytes: Uint8Array): void;
  /** Where the next bytes are to go instead of the channel's own buffer. */
  space?(): Uint8Array | undefined;
  /** So many bytes have arrived there. Throws what the channel is to fail with. */
  received?(count: number): void;
  /** The channel has failed; nothing else will come. */
  lost(error: unknown): void;
}

/** How long a server may take to hang up after we took leave, in milliseconds. */
const GOODBYE = 1_000;

/** A stream to a server. */
export class Channel {
  #stream: Duplex | undefined;
  #owner: ChannelOwner = nobody(this);
  #failure: { readonly error: unknown } | undefined;
  #finishing = false;
  readonly #closed: Promise<void>;
  #close: () => void = () => undefined;

  constructor() {
    this.#closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  /** What it failed with, if it did. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Takes a stream into use. Without `reading`, somebody else calls {@link Channel.receive}. */
  use(stream: Duplex, reading: boolean): void {
    this.#stream = stream;
    stream.on("error", (error) => this.fail(broken(error)));
    stream.on("end", () => this.fail(hungUp()));
    stream.on("close", () => {
      this.fail(hungUp());
      this.#close();
    });
    if (reading) stream.on("data", (chunk: Uint8Array | string) => this.receive(typeof chunk === "string" ? Buffer.from(chunk) : chunk));
    else stream.resume();
  }

  /** Hands the channel over. */
  own(owner: ChannelOwner): void {
    this.#owner = owner;
    if (this.#failure !== undefined) owner.lost(this.#failure.error);
  }

  /** Lets go of the channel: nothing may arrive until it has a new owner. */
  disown(): void {
    this.#owner = nobody(this);
  }

  /** Bytes have arrived. */
  receive(bytes: Uint8Array): void {
    if (this.#finishing || this.#failure !== undefined) return;
    try {
      this.#owner.receive(bytes);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Where the next bytes are to go, if not to a buffer of the caller's. */
  space(): Uint8Array | undefined {
    return this.#finishing || this.#failure !== undefined ? undefined : this.#owner.space?.();
  }

  /** So many bytes have arrived there. */
  received(count: number): void {
    if (this.#finishing || this.#failure !== undefined) return;
    try {
      this.#owner.received?.(count);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sends these pieces, in one system call where that is possible. They must stay as they are until they have gone. */
  write(pieces: readonly Uint8Array[]): void {
    const stream = this.#stream as Duplex;
    if (this.#failure !== undefined || this.#finishing) return;
    if (pieces.length === 1) {
      stream.write(pieces[0]);
      return;
    }
    stream.cork();
    for (const piece of pieces) stream.write(piece);
    stream.uncork();
  }

  /** Breaks the connection off. The first call counts. */
  fail(error: unknown): void {
    if (this.#failure !== undefined || this.#finishing) return;
    this.#failure = { error };
    this.#stream?.destroy();
    this.#owner.lost(error);
  }

  /** Sends what has been written, then closes. Settles when the server has hung up too, or took too long to. */
  finish(): Promise<void> {
    const stream = this.#stream as Duplex;
    if (this.#failure !== undefined) return Promise.resolve();
    if (!this.#finishing) {
      this.#finishing = true;
      const timer = setTimeout(() => {
        stream.destroy();
        this.#close();
      }, GOODBYE);
      void this.#closed.then(() => clearTimeout(timer));
      // Somebody has to take what still comes, or the stream never ends.
      stream.resume();
      stream.end();
    }
    return this.#closed;
  }
}

/** Between two owners the server has nothing to say. */
function nobody(channel: Channel): ChannelOwner {
  return {
    receive: (bytes) =>
      channel.fail(new DiskError("EPROTO", `the server broke the NBD protocol: it sent ${bytes.length} bytes before it was asked`)),
    lost: () => undefined,
  };
}

function hungUp(cause?: unknown): DiskError {
  return new DiskError("ECONNRESET", "the server closed the connection", { cause });
}

/** What an error of the stream means. */
function broken(error: Error & { syscall?: unknown }): DiskError {
  const code = errorCode(error);
  // Which of these it is, or the end of the stream, is only a question of what the system noticed first.
  if (code === "ECONNRESET" || code === "EPIPE") return hungUp(error);
  // Connecting to a name with several addresses fails with several errors.
  const several = error instanceof AggregateError && error.errors.length > 0;
  const text = several ? [...new Set(error.errors.map(errorText))].join(", ") : error.message;
  const connecting = several || error.syscall === "connect" || error.syscall === "getaddrinfo";
  return new DiskError(code, `${connecting ? "cannot connect" : "the connection broke"}: ${text}`, { cause: error });
}
