// What a child writes, up to a limit.

import type { Readable } from "node:stream";

/** Keeps the first bytes of a stream. What comes after them is read and dropped, so that the writer is never held up. */
export class Output {
  /** Called once when there is more than is kept. */
  onOverflow: (() => void) | undefined;
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(stream: Readable | null, limit: number) {
    this.#limit = limit;
    stream?.on("data", (chunk: Buffer) => this.#add(chunk));
    // A stream that breaks has ended.
    stream?.on("error", () => undefined);
  }

  /** What was kept. */
  bytes(): Buffer {
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
  }

  #add(chunk: Buffer): void {
    const room = this.#limit - this.#length;
    const kept = chunk.length <= room ? chunk : chunk.subarray(0, room);
    if (kept.length > 0) this.#chunks.push(kept);
    this.#length += kept.length;
    if (chunk.length <= room) return;
    this.onOverflow?.();
    this.onOverflow = undefined;
  }
}
