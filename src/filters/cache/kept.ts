// What the cache keeps: which blocks, in which slots of a temporary file, and in which order they were used.

import type { BlockFile } from "../../common/block-file.ts";
import { BlockMap } from "../../common/block-map.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import { SlotTable } from "./slot-table.ts";

/** The slot of a block that is not kept. */
export const MISSING = 0;

/** The blocks of one disk that are kept. */
export class Kept {
  /** Of the disk, in bytes. */
  readonly size: bigint;
  /** Bytes. */
  readonly blockSize: number;
  readonly #file: BlockFile;
  readonly #shift: bigint;
  readonly #mask: bigint;
  readonly #map: BlockMap;
  readonly #table: SlotTable = new SlotTable();
  /** Slots that are being filled, beside those in the table. */
  #filling = 0;

  constructor(size: bigint, file: BlockFile) {
    this.size = size;
    this.blockSize = file.blockSize;
    this.#file = file;
    this.#shift = BigInt(Math.log2(file.blockSize));
    this.#mask = BigInt(file.blockSize - 1);
    this.#map = new BlockMap(Number((size + this.#mask) >> this.#shift));
  }

  /** How many blocks are kept, or about to be. */
  get count(): number {
    return this.#table.count + this.#filling;
  }

  /** The block that a byte is in. */
  block(offset: bigint): number {
    return Number(offset >> this.#shift);
  }

  /** How far into its block a byte is. */
  inner(offset: bigint): number {
    return Number(offset & this.#mask);
  }

  /** The first byte of a block. */
  start(block: number): bigint {
    return BigInt(block) << this.#shift;
  }

  /** Bytes of a block: the last one ends with the disk. */
  sizeOf(block: number): number {
    const left = this.size - this.start(block);
    return left < BigInt(this.blockSize) ? Number(left) : this.blockSize;
  }

  /** Bytes of the blocks from `first` to before `end`. */
  bytesOf(first: number, end: number): number {
    return (end - 1 - first) * this.blockSize + this.sizeOf(end - 1);
  }

  /** The slot of a block, or {@link MISSING}. */
  slot(block: number): number {
    return this.#map.get(block);
  }

  /** Where the run of blocks ends that are missing like `first`, or in slots that follow its. */
  runEnd(first: number, end: number): number {
    return this.#map.runEnd(first, end);
  }

  /** Whether none of the blocks from `first` to before `end` is kept. */
  none(first: number, end: number): boolean {
    return this.slot(first) === MISSING && this.runEnd(first, end) === end;
  }

  /** The blocks that are kept, those first that were not used for longest. */
  oldest(): ReturnType<SlotTable["oldest"]> {
    return this.#table.oldest();
  }

  /** Reads from blocks in a run of slots, from `inner` bytes into the first one on. */
  read(target: Uint8Array, slot: number, inner: number): Awaitable<void> {
    this.#use(slot, inner + target.length);
    return this.#file.read(target, slot, inner);
  }

  /** As {@link Kept.read}, but does not count as use. */
  peek(target: Uint8Array, slot: number): Awaitable<void> {
    return this.#file.read(target, slot, 0);
  }

  /** Writes into blocks in a run of slots. */
  write(source: Uint8Array, slot: number, inner: number): Awaitable<void> {
    this.#use(slot, inner + source.length);
    return this.#file.write(source, slot, inner);
  }

  /** Writes blocks that were missing into slots; they are in the cache once that has succeeded. */
  insert(block: number, count: number, bytes: Uint8Array): Awaitable<void> {
    for (let done = 0; done < count; ) {
      const slots = this.#file.allocate(count - done);
      const [from, at] = [block + done, done];
      done += slots.count;
      this.#filling += slots.count;
      let answer: Awaitable<void>;
      try {
        answer = this.#file.write(bytes.subarray(at * this.blockSize, done * this.blockSize), slots.first, 0);
      } catch (error) {
        this.#failed(slots.first, slots.count);
        throw error;
      }
      if (isPromise(answer)) return this.#insertLater(answer, slots.first, from, slots.count, block + done, count - done, bytes, done);
      this.#inserted(slots.first, from, slots.count);
    }
    return undefined;
  }

  async #insertLater(
    answer: PromiseLike<void>,
    slot: number,
    from: number,
    taken: number,
    next: number,
    left: number,
    bytes: Uint8Array,
    done: number,
  ): Promise<void> {
    try {
      await answer;
    } catch (error) {
      this.#failed(slot, taken);
      throw error;
    }
    this.#inserted(slot, from, taken);
    if (left > 0) await this.insert(next, left, bytes.subarray(done * this.blockSize));
  }

  #inserted(slot: number, block: number, count: number): void {
    this.#filling -= count;
    for (let i = 0; i < count; i += 1) {
      this.#map.set(block + i, slot + i);
      this.#table.add(slot + i, block + i);
    }
  }

  #failed(slot: number, count: number): void {
    this.#filling -= count;
    this.#file.free(Array.from({ length: count }, (_, i) => slot + i));
  }

  /** Forgets the blocks from `first` to before `end`. */
  forget(first: number, end: number, forgotten: (block: number) => void): void {
    const slots: number[] = [];
    this.#map.fill(first, end, MISSING, (slot, block) => {
      slots.push(slot);
      this.#table.remove(slot);
      forgotten(block);
    });
    if (slots.length > 0) this.#file.free(slots);
  }

  /** Forgets one block. */
  drop(block: number, slot: number): void {
    this.#map.set(block, MISSING);
    this.#table.remove(slot);
    this.#file.free([slot]);
  }

  /** Closes the file: what it holds is gone. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #use(slot: number, bytes: number): void {
    for (let at = 0, one = slot; at < bytes; at += this.blockSize, one += 1) this.#table.touch(one);
  }
}
