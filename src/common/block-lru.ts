// A cache of blocks: those used last stay, up to so many bytes, and a block that several readers want at once is fetched once.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";

/** A fetch that is under way. */
interface Fetch {
  readonly block: Promise<Uint8Array>;
  readonly controller: AbortController;
  /** Readers that wait for it and have not given up. */
  waiting: number;
  /** What arrives may be kept: nobody said meanwhile that it is out of date. */
  current: boolean;
}

/**
 * Keeps the blocks that were used last, up to a number of bytes. Blocks are handed out as they are, not copied: whoever gets one must not change it.
 *
 * @typeParam Key - what a block is known by: its number, or a text
 * @example
 * ```ts
 * const blocks = new BlockLru<number>(16 * 1024 * 1024);
 * const block = blocks.fetch(7, (signal) => myUnpack(7, signal), myRequest.signal);
 * ```
 */
export class BlockLru<Key = number> {
  /** In the order of their last use: a Map keeps the order of insertion. */
  readonly #blocks: Map<Key, Uint8Array> = new Map();
  readonly #fetches: Map<Key, Fetch> = new Map();
  readonly #capacity: number;
  #bytes = 0;

  /** @param capacity - bytes of blocks to keep at most; a block longer than that is never kept */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Bytes of the blocks that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many blocks are kept. */
  get count(): number {
    return this.#blocks.size;
  }

  /** The block, if it is kept; it counts as used. */
  get(key: Key): Uint8Array | undefined {
    const block = this.#blocks.get(key);
    if (block === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block;
  }

  /**
   * The block: itself when it is kept or `load` answers at once, else a promise of it. While a block is being fetched, others who ask for it wait for
   * the same fetch. A fetch that fails is told to all who wait and is not kept: who asks next, tries again.
   *
   * @param load - fetches the block. Its signal is aborted once everybody who waits has given up
   * @param signal - gives up waiting when it is aborted; the others who wait are not concerned
   */
  fetch(key: Key, load: (signal: AbortSignal) => Awaitable<Uint8Array>, signal?: AbortSignal): Awaitable<Uint8Array> {
    const kept = this.get(key);
    if (kept !== undefined) return kept;
    signal?.throwIfAborted();
    const underWay = this.#fetches.get(key);
    if (underWay !== undefined) return this.#wait(key, underWay, signal);
    const controller = new AbortController();
    const answer = load(controller.signal);
    if (isPromise(answer)) return this.#wait(key, this.#begin(key, answer, controller), signal);
    this.set(key, answer);
    return answer;
  }

  /** Keeps a block, in place of what there was under this key. What is being fetched is out of date then. */
  set(key: Key, block: Uint8Array): void {
    this.delete(key);
    this.#keep(key, block);
  }

  /** Forgets a block, also one that is being fetched: those who wait get it, but it is not kept. */
  delete(key: Key): void {
    this.#bytes -= this.#blocks.get(key)?.length ?? 0;
    this.#blocks.delete(key);
    this.#forget(key);
  }

  /** Forgets every block. */
  clear(): void {
    this.#blocks.clear();
    this.#bytes = 0;
    for (const key of [...this.#fetches.keys()]) this.#forget(key);
  }

  #keep(key: Key, block: Uint8Array): void {
    if (block.length > this.#capacity) return;
    this.#blocks.set(key, block);
    this.#bytes += block.length;
    for (const [oldest, { length }] of this.#blocks) {
      if (this.#bytes <= this.#capacity) return;
      this.#blocks.delete(oldest);
      this.#bytes -= length;
    }
  }

  #begin(key: Key, answer: PromiseLike<Uint8Array>, controller: AbortController): Fetch {
    const end = (): void => {
      if (this.#fetches.get(key) === fetch) this.#fetches.delete(key);
    };
    const fetch: Fetch = {
      controller,
      waiting: 0,
      current: true,
      block: Promise.resolve(answer).then(
        (block) => {
          end();
          if (fetch.current) this.#keep(key, block);
          return block;
        },
        (error: unknown) => {
          end();
          throw error;
        },
      ),
    };
    // Those who wait are told; when nobody does any more, nobody needs to be.
    fetch.block.catch(() => undefined);
    this.#fetches.set(key, fetch);
    return fetch;
  }

  /** What arrives of a fetch is not to be kept, and who asks from now on starts another. */
  #forget(key: Key): void {
    const fetch = this.#fetches.get(key);
    if (fetch === undefined) return;
    fetch.current = false;
    this.#fetches.delete(key);
  }

  #wait(key: Key, fetch: Fetch, signal: AbortSignal | undefined): Promise<Uint8Array> {
    fetch.waiting += 1;
    if (signal === undefined) return fetch.block;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        reject(signal.reason);
        fetch.waiting -= 1;
        if (fetch.waiting > 0) return;
        if (this.#fetches.get(key) === fetch) this.#forget(key);
        fetch.controller.abort(signal.reason);
      };
      const done = (): void => signal.removeEventListener("abort", giveUp);
      signal.addEventListener("abort", giveUp, { once: true });
      fetch.block.then(resolve, reject).finally(done);
    });
  }
}
