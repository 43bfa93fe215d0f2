// What goes to a server: the requests of one turn of the event loop leave in one write.

import type { Channel } from "./channel.ts";

const SLAB = 64 * 1024;
/** Payloads up to this size are copied behind their header: cheaper than one more piece of a scattered write. */
export const COPY: number = 16 * 1024;

/** Gathers requests and writes them at the end of the turn. */
export class Outbox {
  readonly #channel: Channel;
  /** The slab being filled; what is in it up to `#start` has been queued. Slabs are not used again: the socket may still hold them. */
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB);
  #start = 0;
  #end = 0;
  #queue: Uint8Array[] = [];
  #scheduled = false;
  readonly #flush = (): void => this.flush();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Makes room for `length` bytes in {@link Outbox.buffer}; answers where it starts. */
  reserve(length: number): number {
    if (this.#end + length > SLAB) {
      this.#cut();
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#start = 0;
      this.#end = 0;
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      // Runs after all promise callbacks of this turn, so that the requests which they make are in it too.
      process.nextTick(this.#flush);
    }
    const at = this.#end;
    this.#end += length;
    return at;
  }

  /** Where {@link Outbox.reserve} made room last. */
  get buffer(): Buffer {
    return this.#slab;
  }

  /** Queues a payload behind the header that was reserved last. */
  push(payload: Uint8Array): void {
    if (payload.length <= COPY) {
      const at = this.reserve(payload.length);
      this.#slab.set(payload, at);
      return;
    }
    this.#cut();
    this.#queue.push(payload);
  }

  /** Writes everything now. */
  flush(): void {
    this.#scheduled = false;
    this.#cut();
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#channel.write(queue);
  }

  #cut(): void {
    if (this.#end === this.#start) return;
    this.#queue.push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}
