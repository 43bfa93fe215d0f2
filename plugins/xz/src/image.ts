// The content of one file: blocks that were decoded lately, those that are being decoded, and who waits for them. Clients of the same export share it.

import type { Disk } from "diskwright";
import { LRUCache } from "lru-cache";
import type { Blocks } from "./blocks.ts";
import { damaged } from "./errors.ts";
import type { Pool } from "./pool.ts";
import { readRange } from "./source.ts";
import { Turns, unlessAborted } from "./waiting.ts";

/** What an image may use. */
export interface ImageLimits {
  /** Blocks that are kept. */
  readonly depth: number;
  /** Bytes of the blocks that are kept, and of those that are being made, each. */
  readonly memory: number;
}

interface Making {
  readonly content: Promise<Uint8Array>;
  /** Through which client's disk it is read. */
  readonly disk: Disk;
  readonly controller: AbortController;
  waiters: number;
}

/** Decodes each block once, however many ask for it. A block that could not be made is tried again the next time. */
export class Image {
  readonly blocks: Blocks;
  /** Blocks that are kept. */
  readonly depth: number;
  readonly #pool: Pool;
  readonly #kept: LRUCache<number, Uint8Array>;
  readonly #making: Map<number, Making> = new Map();
  readonly #turns: Turns;
  /** Blocks that are made before anybody asks for them. */
  readonly #ahead: number;

  constructor(blocks: Blocks, pool: Pool, { depth, memory }: ImageLimits) {
    this.blocks = blocks;
    this.depth = depth;
    this.#pool = pool;
    const largest = Math.max(blocks.largest, 1);
    this.#kept = new LRUCache({ max: depth, maxSize: Math.max(memory, largest), sizeCalculation: (content) => content.length });
    // A block that is being made is there up to three times: in the file's bytes and twice as content. One is read while all threads are busy.
    const room = Math.floor(memory / (3 * largest));
    this.#turns = new Turns(Math.min(Math.max(room, 1), pool.threads + 1));
    this.#ahead = Math.max(0, Math.min(pool.threads, depth - 1, Math.floor(memory / largest) - 1));
  }

  /** A block's content if it is at hand. It never changes, also once it is not kept any more. */
  kept(number: number): Uint8Array | undefined {
    return this.#kept.get(number);
  }

  /**
   * A block's content.
   *
   * @param disk - where to read the file, if nobody else does so already
   * @param signal - ends the wait, and the work if nobody else waits
   */
  async get(number: number, disk: Disk, signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      signal.throwIfAborted();
      const kept = this.kept(number);
      if (kept !== undefined) return kept;
      const making = this.#making.get(number) ?? this.#make(number, disk);
      making.waiters += 1;
      try {
        return await unlessAborted(making.content, signal);
      } catch (error) {
        // Where it was read through the disk of a client that has left, it is read once more through our own.
        if (making.disk === disk || signal.aborted) throw error;
      } finally {
        making.waiters -= 1;
        if (making.waiters === 0) this.#giveUp(number, making);
      }
    }
  }

  /** Begins to make the blocks after this one, for a client that reads one after the other. */
  readAhead(number: number, disk: Disk): void {
    const last = Math.min(number + this.#ahead, this.blocks.count - 1);
    for (let next = number + 1; next <= last && this.#turns.free && this.#pool.free; next += 1) {
      if (!this.#kept.has(next) && !this.#making.has(next)) this.#make(next, disk);
    }
  }

  /** Ends what is made ahead for a client that leaves. */
  leave(disk: Disk): void {
    for (const [number, making] of this.#making) {
      if (making.disk === disk && making.waiters === 0) this.#giveUp(number, making);
    }
  }

  #make(number: number, disk: Disk): Making {
    const controller = new AbortController();
    const content = this.#decode(number, disk, controller.signal);
    const making = { content, disk, controller, waiters: 0 };
    this.#making.set(number, making);
    const forget = (): void => {
      if (this.#making.get(number) === making) this.#making.delete(number);
    };
    content.then((made) => {
      this.#kept.set(number, made);
      forget();
    }, forget); // Who waits hears of a failure; for a block made ahead it is found again once somebody asks.
    return making;
  }

  #giveUp(number: number, making: Making): void {
    if (this.#making.get(number) !== making) return;
    this.#making.delete(number);
    making.controller.abort();
  }

  async #decode(number: number, disk: Disk, signal: AbortSignal): Promise<Uint8Array> {
    const done = await this.#turns.take(signal);
    try {
      const block = this.blocks.block(number);
      const bytes = await readRange(disk, block.at, block.length);
      return await this.#pool.decode(bytes, block, signal);
    } catch (error) {
      throw damaged(error, number, this.blocks);
    } finally {
      done();
    }
  }
}
