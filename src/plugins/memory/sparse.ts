// A memory disk's bytes in pages that exist once they are written: the default allocator.

import { totalmem } from "node:os";
import type { BlockSize, Extent } from "../../contract/connection.ts";
import { DiskError, errorText } from "../../contract/error.ts";
import type { ZeroFlags } from "../../contract/flags.ts";
import type { MemoryStore } from "./allocator.ts";
import { extentsOf } from "./extents.ts";
import { PageTable } from "./page-table.ts";
import { DATA, HOLE, offsetOf, PAGE, pageFrom, pageOf, RESERVED, startIn } from "./pages.ts";
import { put } from "./put.ts";
import { Slabs } from "./slabs.ts";

/** Pages that are moved in one turn when memory is tidied up: 4 MiB, a few milliseconds. */
const MOVES = 128;
/**
 * Pages of memory for those parts of a disk that were written; everything else reads as zeroes. Every call answers at once. A page table says where a
 * page is, {@link Slabs} hold the bytes.
 */
export class SparseStore implements MemoryStore {
  readonly blockSize: BlockSize = { minimum: 1, preferred: PAGE, maximum: 0xffffffff };
  readonly #size: bigint;
  /** Pages of the disk; the last one may reach beyond its end. */
  readonly #pages: number;
  readonly #table: PageTable = new PageTable();
  readonly #slabs: Slabs;
  /** What holes are lent as. Nobody writes to it. */
  readonly #zeroes: Uint8Array = new Uint8Array(4 * PAGE);
  #reserved = 0;
  #tidying = false;

  constructor(size: bigint) {
    this.#size = size;
    this.#pages = pageFrom(size);
    this.#slabs = new Slabs(this.#pages);
  }

  read(target: Uint8Array, offset: bigint): void {
    let page = pageOf(offset);
    let start = startIn(page, offset);
    for (let done = 0; done < target.length; start = 0) {
      const id = this.#table.get(page);
      const bytes = this.#together(page, id, start, target.length - done);
      if (id >= DATA) {
        const from = this.#slabs.start(id) + start;
        target.set(this.#slabs.bytes(id).subarray(from, from + bytes), done);
      } else {
        target.fill(0, done, done + bytes);
      }
      done += bytes;
      page += Math.ceil((start + bytes) / PAGE);
    }
  }

  views(offset: bigint, length: number): readonly Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let page = pageOf(offset);
    let start = startIn(page, offset);
    for (let done = 0; done < length; start = 0) {
      const id = this.#table.get(page);
      const bytes = this.#together(page, id, start, length - done);
      const from = id >= DATA ? this.#slabs.start(id) + start : 0;
      pieces.push((id >= DATA ? this.#slabs.bytes(id) : this.#zeroes).subarray(from, from + bytes));
      done += bytes;
      page += Math.ceil((start + bytes) / PAGE);
    }
    return pieces;
  }

  /** Only pages that are there already are lent, and only those that lie together. Should one be moved or freed meanwhile, `write` copies. */
  room(offset: bigint, length: number): Uint8Array | undefined {
    const page = pageOf(offset);
    const id = this.#table.get(page);
    if (id < DATA) return undefined;
    const start = startIn(page, offset);
    if (this.#together(page, id, start, length) < length) return undefined;
    const from = this.#slabs.start(id) + start;
    return this.#slabs.bytes(id).subarray(from, from + length);
  }

  write(source: Uint8Array, offset: bigint): void {
    const { length } = source;
    let page = pageOf(offset);
    let start = startIn(page, offset);
    const id = this.#writable(page);
    if (start + length <= PAGE) {
      put(source, this.#slabs.bytes(id), this.#slabs.start(id) + start);
      return;
    }
    for (let at = PAGE - start, next = page; at < length; at += PAGE) this.#writable(++next);
    for (let done = 0; done < length; start = 0) {
      const id = this.#table.get(page);
      const bytes = this.#together(page, id, start, length - done);
      put(
        done === 0 && bytes === length ? source : source.subarray(done, done + bytes),
        this.#slabs.bytes(id),
        this.#slabs.start(id) + start,
      );
      done += bytes;
      page += Math.ceil((start + bytes) / PAGE);
    }
  }

  zero(offset: bigint, length: bigint, { noHole }: ZeroFlags): void {
    const end = offset + length;
    const page = pageOf(offset);
    const first = pageFrom(offset);
    const last = end === this.#size ? this.#pages : pageOf(end);
    if (first > last) {
      const start = startIn(page, offset);
      this.#zeroPart(page, start, start + Number(length), noHole);
    } else {
      if (page < first) this.#zeroPart(page, startIn(page, offset), PAGE, noHole);
      if (noHole) this.#reserve(first, last);
      else this.#release(first, last);
      const rest = last < this.#pages ? startIn(last, end) : 0;
      if (rest > 0) this.#zeroPart(last, 0, rest, noHole);
    }
    this.#tidy();
  }

  extents(offset: bigint, length: bigint): Iterable<Extent> {
    return extentsOf(this.#table, offset, length);
  }

  /**
   * Of the `wanted` bytes from `start` of the page on, how many can be had in one piece. A disk that was written from front to back lies in memory
   * the same way, so that most reads are one copy or one view.
   */
  #together(page: number, id: number, start: number, wanted: number): number {
    let bytes = PAGE - start;
    if (bytes >= wanted) return wanted;
    if (id < DATA) {
      const most = this.#zeroes.length - PAGE;
      while (bytes < wanted && bytes <= most && this.#table.get(++page) < DATA) bytes += PAGE;
    } else {
      for (let last = id; bytes < wanted && this.#slabs.adjacent(last, this.#table.get(++page)); bytes += PAGE) last++;
    }
    return Math.min(bytes, wanted);
  }

  /** The page of memory for a page of the disk, which gets one if it has none. */
  #writable(page: number): number {
    const id = this.#table.get(page);
    return id >= DATA ? id : this.#allocate(page, id);
  }

  #allocate(page: number, before: number): number {
    let id: number;
    try {
      id = this.#slabs.allocate(page);
    } catch (error) {
      throw new DiskError("ENOSPC", `cannot write: there is no memory left for the disk (${errorText(error)})`, {
        offset: offsetOf(page),
        cause: error,
      });
    }
    this.#change(page, before, id);
    return id;
  }

  /** Changes the table's entry for a page from one id to another, and gives up what that was. */
  #change(page: number, before: number, id: number): void {
    this.#table.set(page, id);
    if (before >= DATA) this.#slabs.free(before);
    this.#reserved += (id === RESERVED ? 1 : 0) - (before === RESERVED ? 1 : 0);
  }

  /** Zeroes part of a page. One that is all zeroes then is not needed any more. */
  #zeroPart(page: number, start: number, end: number, noHole: boolean): void {
    const id = this.#table.get(page);
    if (id === HOLE && noHole) this.#reserve(page, page + 1);
    if (id < DATA) return;
    const bytes = this.#slabs.bytes(id);
    const at = this.#slabs.start(id);
    bytes.fill(0, at + start, at + end);
    if (noHole) return;
    if (Buffer.compare(bytes.subarray(at, at + PAGE), this.#zeroes.subarray(0, PAGE)) === 0) this.#change(page, id, HOLE);
  }

  /** Makes holes of whole pages. */
  #release(first: number, last: number): void {
    for (const { page, ids } of this.#table.ranges(first, last)) {
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i] as number;
        if (id !== HOLE) this.#change(page + i, id, HOLE);
      }
    }
  }

  /** Makes allocated zeroes of whole pages. They take no memory yet, but more than the machine has is not promised. */
  #reserve(first: number, last: number): void {
    const limit = machinePages();
    for (let page = first; page < last; page++) {
      const id = this.#table.get(page);
      if (id === RESERVED) continue;
      if (last - first > limit || (id === HOLE && this.#slabs.live + this.#reserved >= limit)) {
        throw new DiskError(
          "ENOSPC",
          `cannot zero without making a hole: the machine has no memory for ${last - first} pages of ${PAGE} bytes more`,
          {
            offset: offsetOf(page),
          },
        );
      }
      this.#change(page, id, RESERVED);
    }
  }

  /** Has memory given back that is mostly dead, a little in each turn of the event loop. */
  #tidy(): void {
    const slabs = this.#slabs;
    if (this.#tidying || !(slabs.wasteful || slabs.littered)) return;
    this.#tidying = true;
    setImmediate(() => {
      this.#tidying = false;
      try {
        if (slabs.wasteful) slabs.compact(MOVES, (page, id) => this.#table.set(page, id));
        else slabs.callCollector();
      } catch {
        // No memory to tidy up with: everything is still where it was. The next trim tries again.
        return;
      }
      this.#tidy();
    }).unref();
  }
}

/** Pages that the machine's memory, or that of our container, could hold. */
function machinePages(): number {
  const constrained = process.constrainedMemory();
  return Math.floor((constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()) / PAGE);
}
