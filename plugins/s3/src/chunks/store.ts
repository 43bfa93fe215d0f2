// The content of a chunked disk: what lies in the bucket, and what was written and is not there yet. All clients of the plugin share it.

import { setMaxListeners } from "node:events";
import { type Awaitable, DiskError, unlessAborted } from "diskwright";
import { each } from "../each.ts";
import type { Bucket } from "../service/bucket.ts";
import { Chunk } from "./chunk.ts";
import type { Lease } from "./lease.ts";
import { Locks } from "./locks.ts";
import type { Names } from "./names.ts";

/** What a store is made of. */
export interface StoreSettings {
  readonly bucket: Bucket;
  readonly names: Names;
  /** Bytes of the disk. */
  readonly size: bigint;
  /** Bytes of each object. */
  readonly objectSize: number;
  /** Bytes of objects that are kept in memory. 0: writes are answered once they are stored. */
  readonly maxDirty: number;
  readonly concurrency: number;
}

/** Up to so many objects are deleted without looking which of them are there. */
const FEW = 32;

/** Reads and writes bytes by objects. */
export class Store {
  /** Who may write: there while somebody does. */
  lease: Lease | undefined;
  readonly settings: StoreSettings;
  /** The number of objects that the disk has if none is missing. */
  readonly count: number;
  readonly #chunks: Map<number, Chunk> = new Map();
  readonly #locks: Locks = new Locks();
  readonly #most: number;
  readonly #writeThrough: boolean;
  /** Never aborted: for what goes on although the client is gone. */
  readonly #never: AbortSignal = new AbortController().signal;
  #saves = 0;

  constructor(settings: StoreSettings) {
    const { size, objectSize, maxDirty, concurrency } = settings;
    this.settings = settings;
    setMaxListeners(0, this.#never);
    this.count = Number((size + BigInt(objectSize) - 1n) / BigInt(objectSize));
    this.#writeThrough = maxDirty === 0;
    this.#most = this.#writeThrough ? concurrency : Math.max(1, Math.floor(maxDirty / objectSize));
  }

  /** Bytes that were written and are not stored. */
  get dirtyBytes(): number {
    return this.#dirty().length * this.settings.objectSize;
  }

  /** The numbers of the objects of a range that have something that is not stored. */
  dirtyIn(first: number, last: number): Set<number> {
    return new Set(this.#dirty().flatMap(({ number }) => (number >= first && number <= last ? [number] : [])));
  }

  /** Fills `target` with the bytes at `offset`: from memory, or several objects at once from the bucket. */
  read(target: Uint8Array, offset: bigint, signal: AbortSignal): Awaitable<void> {
    if (this.#readFromMemory(target, offset)) return undefined;
    const { concurrency } = this.settings;
    return each([...this.#parts(offset, target.length)], concurrency, async ({ number, start, at, length }) => {
      const part = target.subarray(at, at + length);
      const chunk = this.#chunks.get(number);
      if (chunk === undefined) {
        await this.#fetch(number, part, start, signal);
        return;
      }
      if (!chunk.has(start, length)) await unlessAborted(this.#fill(chunk), signal);
      chunk.read(part, start);
    });
  }

  /** Writes into memory, or waits for room there. With `stable` it answers once what was written is stored. */
  write(source: Uint8Array, offset: bigint, stable: boolean, signal: AbortSignal): Awaitable<void> {
    return this.#change(offset, source.length, stable, signal, (chunk, { start, at, length }) =>
      chunk.write(source.subarray(at, at + length), start),
    );
  }

  /** Zeroes: objects that lie in the range are deleted, at once; parts of objects are written. */
  async zero(offset: bigint, length: bigint, stable: boolean, signal: AbortSignal): Promise<void> {
    const { first, last, head, tail } = this.#whole(offset, length);
    const zero = (at: bigint, bytes: number): Awaitable<void> =>
      this.#change(at, bytes, stable, signal, (chunk, part) => chunk.zero(part.start, part.length));
    await zero(offset, head);
    if (first <= last) await this.#delete(first, last, signal);
    await zero(offset + length - BigInt(tail), tail);
  }

  /** Deletes the objects that lie in the range; parts of objects stay as they are. */
  async trim(offset: bigint, length: bigint, signal: AbortSignal): Promise<void> {
    const { first, last } = this.#whole(offset, length);
    if (first <= last) await this.#delete(first, last, signal);
  }

  /** Stores all that was written before. What cannot be stored stays, and is tried again the next time. */
  async flush(signal: AbortSignal): Promise<void> {
    this.lease?.check();
    await this.#saveAll(this.#dirty(), signal);
  }

  /** Forgets what is in memory: from now on somebody else may write. */
  forget(): void {
    this.#chunks.clear();
  }

  /** Copies what is in memory; false when not all of it is. */
  #readFromMemory(target: Uint8Array, offset: bigint): boolean {
    if (this.#chunks.size === 0) return false;
    for (const { number, start, length } of this.#parts(offset, target.length))
      if (this.#chunks.get(number)?.has(start, length) !== true) return false;
    for (const { number, start, at, length } of this.#parts(offset, target.length))
      (this.#chunks.get(number) as Chunk).read(target.subarray(at, at + length), start);
    return true;
  }

  #change(offset: bigint, length: number, stable: boolean, signal: AbortSignal, act: (chunk: Chunk, part: Part) => void): Awaitable<void> {
    this.lease?.check();
    for (const part of this.#parts(offset, length)) {
      const chunk = this.#room(part.number);
      if (chunk === undefined) return this.#changeLater(offset, length, part.at, stable, signal, act);
      act(chunk, part);
      this.#touched(chunk);
    }
    return stable || this.#writeThrough ? this.#saveRange(offset, length, signal) : undefined;
  }

  /** Goes on with a change from `done`, where it had to wait. */
  async #changeLater(
    offset: bigint,
    length: number,
    done: number,
    stable: boolean,
    signal: AbortSignal,
    act: (chunk: Chunk, part: Part) => void,
  ): Promise<void> {
    for (const part of this.#parts(offset, length)) {
      if (part.at < done) continue;
      let chunk = this.#room(part.number);
      while (chunk === undefined) {
        await unlessAborted(this.#locks.blocking(part.number, part.number) ?? this.#makeRoom(), signal);
        this.lease?.check();
        chunk = this.#room(part.number);
      }
      act(chunk, part);
      this.#touched(chunk);
    }
    if (stable || this.#writeThrough) await this.#saveRange(offset, length, signal);
  }

  /** The object in memory, to be changed; undefined when it is being deleted or there is no room for it. */
  #room(number: number): Chunk | undefined {
    if (this.#locks.blocking(number, number) !== undefined) return undefined;
    const known = this.#chunks.get(number);
    if (known !== undefined) return known;
    if (this.#chunks.size >= this.#most && !this.#forgetOne()) return undefined;
    const chunk = new Chunk(number, this.settings.objectSize);
    this.#chunks.set(number, chunk);
    return chunk;
  }

  /** Lets go of the object that was not written for longest, if there is one that is stored. */
  #forgetOne(): boolean {
    for (const [number, chunk] of this.#chunks) {
      if (chunk.dirty || chunk.saving !== undefined || chunk.filling !== undefined) continue;
      this.#chunks.delete(number);
      return true;
    }
    return false;
  }

  /** The object was written last: it is the last to be stored for want of room. Half of the room is kept free by storing early. */
  #touched(chunk: Chunk): void {
    this.#chunks.delete(chunk.number);
    this.#chunks.set(chunk.number, chunk);
    if (this.#chunks.size * 2 > this.#most) this.#saveEarly();
  }

  /** Stores objects that were not written for long while there is more to store than half of the room. */
  #saveEarly(): void {
    const { concurrency } = this.settings;
    if (this.#saves >= concurrency) return;
    const dirty = this.#dirty();
    for (const chunk of dirty.slice(0, Math.max(0, dirty.length - Math.floor(this.#most / 2)))) {
      if (this.#saves >= concurrency) return;
      if (chunk.saving !== undefined || this.#locks.blocking(chunk.number, chunk.number) !== undefined) continue;
      // What fails stays as it is: the next flush, or whoever waits for room, tries it again and hears of it.
      this.#save(chunk).catch(() => undefined);
    }
  }

  /** Stores the objects that were not written for longest; settles when one of them is stored, or cannot be. */
  async #makeRoom(): Promise<void> {
    const { concurrency } = this.settings;
    const saving: Promise<void>[] = [];
    for (const chunk of this.#chunks.values()) {
      if (saving.length >= concurrency) break;
      const wait = chunk.saving ?? chunk.filling ?? this.#locks.blocking(chunk.number, chunk.number);
      if (wait !== undefined) saving.push(wait);
      else if (chunk.dirty) saving.push(this.#save(chunk));
      else return;
    }
    await Promise.race(saving);
  }

  #dirty(): Chunk[] {
    return [...this.#chunks.values()].filter(({ dirty }) => dirty);
  }

  #saveRange(offset: bigint, length: number, signal: AbortSignal): Promise<void> {
    const chunks = [...this.#parts(offset, length)].flatMap(({ number }) => this.#chunks.get(number) ?? []);
    return this.#saveAll(chunks, signal);
  }

  /** Stores what these objects have now; what is written to them meanwhile may stay. */
  async #saveAll(chunks: readonly Chunk[], signal: AbortSignal): Promise<void> {
    const wanted = chunks.map((chunk) => ({ chunk, version: chunk.version }));
    const save = async (chunk: Chunk, version: number): Promise<void> => {
      while (chunk.saved < version) await (this.#locks.blocking(chunk.number, chunk.number) ?? this.#save(chunk));
    };
    const { concurrency } = this.settings;
    await unlessAborted(
      each(wanted, concurrency, ({ chunk, version }) => save(chunk, version)),
      signal,
    );
  }

  /** Stores an object; joins in where that is under way. */
  #save(chunk: Chunk): Promise<void> {
    chunk.saving ??= this.#saveNow(chunk).finally(() => {
      chunk.saving = undefined;
    });
    return chunk.saving;
  }

  async #saveNow(chunk: Chunk): Promise<void> {
    const { bucket, names } = this.settings;
    this.#saves += 1;
    try {
      if (!chunk.complete) await this.#fill(chunk);
      this.lease?.check();
      const { version } = chunk;
      // Zeroes written over a hole leave it one.
      if (!chunk.absent || !chunk.zeroes) {
        const { bytes, release } = chunk.lend();
        try {
          await bucket.write(names.of(chunk.number), bytes, this.lease?.lost ?? this.#never);
        } finally {
          release();
        }
        chunk.absent = false;
      }
      chunk.saved = version;
    } finally {
      this.#saves -= 1;
    }
    // Without a lease somebody else may write it next.
    if (!chunk.dirty && this.lease === undefined) this.#chunks.delete(chunk.number);
    if (this.#chunks.size * 2 > this.#most) this.#saveEarly();
  }

  /** Fetches what is not known of an object; joins in where that is under way. */
  #fill(chunk: Chunk): Promise<void> {
    chunk.filling ??= this.#fillNow(chunk).finally(() => {
      chunk.filling = undefined;
    });
    return chunk.filling;
  }

  async #fillNow(chunk: Chunk): Promise<void> {
    const stored = new Uint8Array(this.settings.objectSize);
    chunk.absent = !(await this.#fetch(chunk.number, stored, 0, this.#never));
    chunk.fill(stored);
  }

  /** Reads a part of an object; one that is missing reads as zeroes. */
  async #fetch(number: number, target: Uint8Array, start: number, signal: AbortSignal): Promise<boolean> {
    const { bucket, names, objectSize } = this.settings;
    const expected = { size: BigInt(objectSize), etag: undefined };
    try {
      if (await bucket.read(names.of(number), target, BigInt(start), expected, signal)) return true;
    } catch (error) {
      if (!DiskError.is(error) || error.offset !== undefined) throw error;
      throw new DiskError(error.code, error.message, { offset: BigInt(number) * BigInt(objectSize) + BigInt(start), cause: error.cause });
    }
    target.fill(0);
    return false;
  }

  /** Deletes objects, and then forgets what is in memory of them: if the deletion fails they are as they were. */
  async #delete(first: number, last: number, signal: AbortSignal): Promise<void> {
    this.lease?.check();
    for (let wait = this.#locks.blocking(first, last); wait !== undefined; wait = this.#locks.blocking(first, last))
      await unlessAborted(wait, signal);
    const release = this.#locks.hold(first, last);
    try {
      const inMemory = [...this.#chunks.values()].filter(({ number }) => number >= first && number <= last);
      await Promise.allSettled(inMemory.flatMap(({ saving, filling }) => [saving, filling]));
      this.lease?.check();
      const wanted = AbortSignal.any([signal, this.lease?.lost ?? this.#never]);
      setMaxListeners(0, wanted);
      await this.#deleteObjects(first, last, wanted);
      for (const chunk of inMemory) {
        chunk.saved = chunk.version;
        this.#chunks.delete(chunk.number);
      }
    } finally {
      release();
    }
  }

  async #deleteObjects(first: number, last: number, signal: AbortSignal): Promise<void> {
    const { bucket, names } = this.settings;
    if (last - first < FEW) {
      await bucket.delete(
        Array.from({ length: last - first + 1 }, (_, i) => names.of(first + i)),
        signal,
      );
      return;
    }
    for await (const page of bucket.list(names.prefix, first === 0 ? undefined : names.of(first - 1), signal)) {
      const numbers = page.flatMap(({ key }) => names.numberOf(key) ?? []);
      const inRange = numbers.filter((number) => number >= first && number <= last);
      if (inRange.length > 0) {
        this.lease?.check();
        await bucket.delete(
          inRange.map((number) => names.of(number)),
          signal,
        );
      }
      if ((numbers.at(-1) ?? 0) > last) return;
    }
  }

  /** The objects that lie in a range with all of their bytes, and how many bytes of it are before and after them. */
  #whole(offset: bigint, length: bigint): { readonly first: number; readonly last: number; readonly head: number; readonly tail: number } {
    const { objectSize, size } = this.settings;
    const unit = BigInt(objectSize);
    const end = offset + length;
    const first = (offset + unit - 1n) / unit;
    // What the last object has after the disk's end is nobody's.
    const after = end === size ? BigInt(this.count) : end / unit;
    if (after <= first) {
      const head = first * unit < end ? first * unit - offset : length;
      return { first: 0, last: -1, head: Number(head), tail: Number(length - head) };
    }
    const tail = end === size ? 0n : end - after * unit;
    return { first: Number(first), last: Number(after) - 1, head: Number(first * unit - offset), tail: Number(tail) };
  }

  /** The parts of objects that make up a range. */
  *#parts(offset: bigint, length: number): Generator<Part, void, undefined> {
    const { objectSize } = this.settings;
    let number = Number(offset / BigInt(objectSize));
    let start = Number(offset % BigInt(objectSize));
    for (let at = 0; at < length; ) {
      const bytes = Math.min(objectSize - start, length - at);
      yield { number, start, at, length: bytes };
      at += bytes;
      number += 1;
      start = 0;
    }
  }
}

/** A part of an object that a request touches. */
interface Part {
  readonly number: number;
  /** Where it starts in the object. */
  readonly start: number;
  /** Where it starts in the request. */
  readonly at: number;
  readonly length: number;
}
