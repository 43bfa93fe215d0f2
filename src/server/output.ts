// What goes to a client: small replies are gathered in one buffer, large ones are queued uncopied, and all of it goes out in one write.

import type { Duplex } from "node:stream";
import type { BufferPool } from "./buffers.ts";

const GATHER = 256 * 1024;
/** What is written at once is large from so many bytes on. */
const LARGE = 128 * 1024;

/** Gathers replies and writes them to a stream on {@link Output.flush}. */
export class Output {
  /** Whether bytes may be pushed that others will change later. */
  readonly lends: boolean;
  readonly #pool: BufferPool;
  readonly #stream: Duplex;
  /** Told once, when the first large write is about to be made. */
  #onLarge: (() => void) | undefined;
  /** The gathering buffer, from which `[#start, #end)` is not in the queue yet. */
  #buffer: Buffer | undefined;
  #start = 0;
  #end = 0;
  readonly #queue: Uint8Array[] = [];
  /** Bytes in the queue. */
  #queued = 0;
  /** Buffers of the pool that the queued bytes lie in. */
  #lent: Buffer[] = [];
  /** The same of each write that has not been confirmed, oldest first. */
  readonly #unconfirmed: Buffer[][] = [];
  readonly #confirm = (): void => {
    const lent = this.#unconfirmed.shift() ?? [];
    if (this.lends) for (const buffer of lent) this.#pool.give(buffer);
  };

  /**
   * @param lends - what is written may be used again, or changed, once the stream has taken it: right for sockets, which copy, and wrong for a stream in
   *   memory, whose reader may hold on to the very bytes
   * @param onLarge - called once, before 128 KiB or more are written at once for the first time
   */
  constructor(stream: Duplex, pool: BufferPool, lends: boolean, onLarge?: () => void) {
    this.#stream = stream;
    this.#pool = pool;
    this.lends = lends;
    this.#onLarge = onLarge;
  }

  /** Bytes that wait for {@link Output.flush} beside those that are being gathered. */
  get queued(): number {
    return this.#queued;
  }

  /** Bytes that this has not got rid of, nor the stream, unless it is about to: then no 'drain' will tell. */
  get pending(): number {
    const { writableNeedDrain, writableLength } = this.#stream;
    return (writableNeedDrain ? writableLength : 0) + this.#queued + this.#end - this.#start;
  }

  /** Room for `length` bytes, at most 256 KiB, in {@link Output.buffer}; answers where it starts. All of it must be filled, or {@link Output.unreserve} called. */
  reserve(length: number): number {
    if (this.#buffer === undefined || this.#end + length > this.#buffer.length) {
      this.#retire();
      this.#buffer = this.#pool.take(GATHER);
      this.#lent.push(this.#buffer);
    }
    const at = this.#end;
    this.#end += length;
    return at;
  }

  /** The buffer in which {@link Output.reserve} made room last. */
  get buffer(): Buffer {
    return this.#buffer as Buffer;
  }

  /** Takes back what was reserved last. */
  unreserve(length: number): void {
    this.#end -= length;
  }

  /** Takes back what was reserved last, but somebody holds on to it: the buffer is not used any more. */
  abandon(length: number): void {
    this.#end -= length;
    const buffer = this.#buffer as Buffer;
    this.#retire();
    this.#lent = this.#lent.filter((lent) => lent !== buffer);
  }

  /** Queues bytes as they are; they must stay so until they are sent. `lent` goes back to the pool then. */
  push(bytes: Uint8Array, lent?: Buffer): void {
    this.#cut();
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (lent !== undefined) this.#lent.push(lent);
  }

  /** Writes all of it to the stream. */
  flush(): void {
    this.#cut();
    const queue = this.#queue;
    if (queue.length === 0) return;
    if (this.#onLarge !== undefined && this.#queued >= LARGE) {
      this.#onLarge();
      this.#onLarge = undefined;
    }
    const stream = this.#stream;
    this.#unconfirmed.push(this.#lent);
    this.#lent = [];
    this.#buffer = undefined;
    this.#start = 0;
    this.#end = 0;
    this.#queued = 0;
    // The queue is empty before the stream gets to work: one in memory may have the client's next request handled within the write.
    if (queue.length === 1) {
      stream.write(queue.pop() as Uint8Array, this.#confirm);
    } else {
      stream.cork();
      const last = queue.length - 1;
      for (let i = 0; i < last; i += 1) stream.write(queue[i] as Uint8Array);
      stream.write(queue[last] as Uint8Array, this.#confirm);
      queue.length = 0;
      stream.uncork();
    }
  }

  /** Moves what has been gathered to the queue. */
  #cut(): void {
    if (this.#end === this.#start) return;
    const bytes = (this.#buffer as Buffer).subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
  }

  #retire(): void {
    this.#cut();
    this.#buffer = undefined;
    this.#start = 0;
    this.#end = 0;
  }
}
