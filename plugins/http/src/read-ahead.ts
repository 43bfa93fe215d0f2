// Reading ahead of clients that read from front to back: what they will ask for is on its way before they do.

import { Chunk } from "./chunk.ts";

/** Fronts that are followed at once: a client may read several files of a disk in turn. */
const STREAMS = 4;
const SMALLEST_CHUNK = 64 * 1024;
const LARGEST_CHUNK = 1024 * 1024;

/** How bytes are got. */
export interface ReadAheadOptions {
  /** Bytes of the disk. */
  readonly size: number;
  /** Bytes that may be kept, or be on their way. */
  readonly budget: number;
  /** Fills a buffer of ours, telling how far it is. */
  fetch(target: Uint8Array, at: number, progress: (bytes: number) => void): Promise<void>;
  /** Fills a buffer of the caller's. */
  direct(target: Uint8Array, at: number): Promise<void>;
}

/** A place from which somebody reads on. */
interface Stream {
  /** Where the next read begins, if it goes on. */
  next: number;
  /** How many reads have followed each other. */
  streak: number;
  /** How far ahead of `next` is read. */
  distance: number;
  /** Ascending, without gaps. */
  chunks: Chunk[];
}

/** The reads of one client. */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  /** Bytes that a stream may be ahead. */
  readonly #share: number;
  /** The one used last comes last. */
  readonly #streams: Stream[] = [];
  /** Chunks that are on their way, and that a stream has. */
  readonly #coming = new Set<Chunk>();
  readonly #kept = new Set<Chunk>();
  /** Bytes of all these chunks. */
  #used = 0;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
    this.#share = Math.floor(options.budget / STREAMS);
  }

  /** Fills `target`: at once where the bytes are here. */
  read(target: Uint8Array, at: number): undefined | Promise<void> {
    const end = at + target.length;
    const stream = this.#streamAt(at);
    if (stream === undefined) {
      this.#begin(end);
      return this.#options.direct(target, at);
    }
    const { chunks } = stream;
    const covered = chunks.length > 0 && at >= (chunks[0] as Chunk).start && end <= (chunks.at(-1) as Chunk).end;
    const found = covered ? chunks.filter((chunk) => chunk.start < end && chunk.end > at) : [];
    if (at === stream.next || (covered && at > stream.next)) {
      stream.streak += 1;
      stream.next = end;
      this.#leaveBehind(stream);
      this.#extend(stream, target.length);
    }
    if (!covered) return this.#options.direct(target, at);
    if (!found.every((chunk) => chunk.has(Math.min(end, chunk.end)))) return this.#await(found, target, at);
    for (const chunk of found) chunk.copyTo(target, at);
    return undefined;
  }

  async #await(found: readonly Chunk[], target: Uint8Array, at: number): Promise<void> {
    for (const chunk of found) {
      if (!(await chunk.reaches(Math.min(at + target.length, chunk.end)))) return this.#options.direct(target, at);
      chunk.copyTo(target, at);
    }
  }

  /** The stream that goes on at `at`, or is ahead of it. */
  #streamAt(at: number): Stream | undefined {
    const goesOn = ({ next, chunks }: Stream): boolean => {
      const [first] = chunks;
      return next === at || (first !== undefined && at >= first.start && at < (chunks.at(-1) as Chunk).end);
    };
    const index = this.#streams.findLastIndex(goesOn);
    if (index === -1) return undefined;
    const [stream] = this.#streams.splice(index, 1) as [Stream];
    this.#streams.push(stream);
    return stream;
  }

  #begin(next: number): void {
    if (this.#streams.length === STREAMS) for (const chunk of (this.#streams.shift() as Stream).chunks) this.#release(chunk);
    this.#streams.push({ next, streak: 0, distance: 0, chunks: [] });
  }

  /** Gives up what has been read. */
  #leaveBehind({ chunks, next }: Stream): void {
    while (chunks.length > 0 && (chunks[0] as Chunk).end <= next) this.#release(chunks.shift() as Chunk);
  }

  /** Has more fetched, once two reads have followed a first: twice as far ahead each time, up to the stream's share. */
  #extend(stream: Stream, length: number): void {
    const share = this.#share;
    if (stream.streak < 2 || length > share / 2) return;
    const { size, budget } = this.#options;
    stream.distance = Math.min(share, Math.max(stream.distance, 4 * length, SMALLEST_CHUNK));
    const end = Math.min(size, stream.next + stream.distance);
    let from = stream.chunks.at(-1)?.end ?? stream.next;
    const largest = Math.min(LARGEST_CHUNK, Math.ceil(share / 4));
    const chunk = Math.min(largest, Math.max(SMALLEST_CHUNK, Math.floor(stream.distance / 2)));
    // Not for every little read: many small requests would cost more than they bring.
    if (end - from < chunk && end < size && from > stream.next) return;
    for (; from < end; from += chunk) {
      const bytes = Math.min(chunk, size - from);
      if (this.#used + bytes > budget) return;
      stream.chunks.push(this.#fetch(stream, from, bytes));
    }
    stream.distance = Math.min(share, stream.distance * 2);
  }

  #fetch(stream: Stream, start: number, length: number): Chunk {
    const chunk = new Chunk(start, length, this.#options.fetch, (self, failed) => {
      this.#coming.delete(self);
      if (!this.#kept.has(self)) this.#used -= length;
      const at = failed ? stream.chunks.indexOf(self) : -1;
      // What lies behind a gap is of no use.
      if (at !== -1) for (const lost of stream.chunks.splice(at)) this.#release(lost);
    });
    this.#coming.add(chunk);
    this.#kept.add(chunk);
    this.#used += length;
    return chunk;
  }

  /** A stream does not need it any more; while it is on its way it still takes its memory. */
  #release(chunk: Chunk): void {
    this.#kept.delete(chunk);
    if (!this.#coming.has(chunk)) this.#used -= chunk.length;
  }
}
