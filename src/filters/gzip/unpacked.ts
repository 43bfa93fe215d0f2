// Reading anywhere in a gzip file: blocks of unpacked bytes, kept for all clients, made by going on from the nearest place that is known.

import { BlockLru } from "../../common/block-lru.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import { DiskError } from "../../contract/error.ts";
import type { Index } from "./checkpoints.ts";
import { GzipStream } from "./stream.ts";

/** Unpacked bytes that are kept together. */
const BLOCK = 128 * 1024;
/** Packed bytes that are read at once: what is asked for at random needs little. */
const READ = 256 * 1024;
/** Streams of one client that wait to go on where they have got to: so many files may be read from front to back at once. */
const IDLE = 4;

/** Blocks of unpacked bytes. */
export type Blocks = BlockLru<number>;

/** A cache of blocks. @param memory - bytes that it may take */
export function newBlocks(memory: number): Blocks {
  return new BlockLru(memory);
}

/** One client's way to the unpacked bytes. */
export class Unpacked {
  readonly #disk: Disk;
  readonly #index: Index;
  readonly #blocks: Blocks;
  readonly #size: number;
  readonly #signal: AbortSignal;
  #idle: GzipStream[] = [];
  /** Blocks are unpacked one after the other: the next one mostly begins where the last one ends. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, index: Index, blocks: Blocks, signal: AbortSignal) {
    this.#disk = disk;
    this.#index = index;
    this.#blocks = blocks;
    this.#signal = signal;
    this.#size = Number(index.size);
  }

  /** Fills `target`; at once when all of it is kept. */
  read(target: Uint8Array, offset: bigint): Awaitable<void> {
    return this.#readFrom(target, 0, Number(offset));
  }

  #readFrom(target: Uint8Array, from: number, start: number): Awaitable<void> {
    let done = from;
    while (done < target.length) {
      const number = Math.floor((start + done) / BLOCK);
      // Who asks for a block need not be the one for whom it is unpacked, so nobody's going ends that.
      const block = this.#blocks.fetch(number, () => this.#inTurn(number));
      if (isPromise(block)) {
        const at = done;
        return block.then((arrived) => this.#readFrom(target, at + copy(arrived, target, at, start), start));
      }
      done += copy(block, target, done, start);
    }
    return undefined;
  }

  async #inTurn(number: number): Promise<Uint8Array> {
    const before = this.#last;
    const block = before.then(() => this.#unpack(number));
    this.#last = block.catch(() => undefined);
    return block;
  }

  async #unpack(number: number): Promise<Uint8Array> {
    const start = number * BLOCK;
    const block = new Uint8Array(Math.min(BLOCK, this.#size - start));
    const stream = this.#streamAt(start);
    for (let sinceTurn = 0; stream.position < start; ) {
      const passed = await next(stream, start - stream.position, this.#signal);
      sinceTurn += passed.length;
      if (sinceTurn < 8 * BLOCK) continue;
      sinceTurn = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    for (let done = 0; done < block.length; ) {
      const bytes = await next(stream, block.length - done, this.#signal);
      block.set(bytes, done);
      done += bytes.length;
    }
    this.#idle.push(stream);
    if (this.#idle.length > IDLE) this.#idle.shift();
    return block;
  }

  /** A stream at or before an unpacked byte: one that has got there, or a new one. */
  #streamAt(start: number): GzipStream {
    const checkpoint = this.#index.checkpoints.before(start);
    let best: GzipStream | undefined;
    for (const stream of this.#idle) {
      const { position } = stream;
      if (position <= start && position >= (best?.position ?? checkpoint.out)) best = stream;
    }
    if (best === undefined) return new GzipStream(this.#disk, checkpoint, READ);
    this.#idle = this.#idle.filter((stream) => stream !== best);
    return best;
  }
}

async function next(stream: GzipStream, most: number, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await stream.next(most, signal);
  if (bytes === undefined) throw new DiskError("EIO", `gzip: the file has changed: it now ends after ${stream.position} unpacked bytes`);
  return bytes;
}

/** Copies what `target` wants of a block from its byte `done` on; answers how much. */
function copy(block: Uint8Array, target: Uint8Array, done: number, start: number): number {
  const from = (start + done) % BLOCK;
  const bytes = block.subarray(from, from + target.length - done);
  target.set(bytes, done);
  return bytes.length;
}
