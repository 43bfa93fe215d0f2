// A memory disk whose pages are compressed. Those that parts were read or written of lately stay as they are, and are compressed when others come.

import { totalmem } from "node:os";
import { type BlockSize, DiskError, type Extent, type MemoryStore, type ZeroFlags } from "diskwright";
import type { Codec, PageCodec } from "../codec/codec.ts";
import { HOLE, HOT, offsetOf, PAGE, PageTable, pageOf, RESERVED, STORED } from "./page-table.ts";
import { Slabs } from "./slabs.ts";

/** Pages that would take more than this compressed are kept as they are. */
const WORTHWHILE: number = PAGE - 1024;
const ZEROES: Uint8Array = new Uint8Array(PAGE);

interface Hot {
  readonly bytes: Uint8Array;
  /** It differs from what is stored. */
  changed: boolean;
}

/** How much a disk takes. */
export interface StoreUsage {
  /** Pages of 32 KiB that hold data. */
  readonly pages: number;
  /** Bytes of those that are compressed, once they are. */
  readonly compressed: number;
  /** Bytes of memory that the disk takes for both. */
  readonly memory: number;
}

/** What {@link CompressedStore} is told. */
export interface StoreOptions {
  readonly level: number;
  /** Pages that are kept uncompressed. */
  readonly hot: number;
  /** Bytes that the others may take. */
  readonly limit: number;
}

/** Every call answers at once. */
export class CompressedStore implements MemoryStore {
  readonly blockSize: BlockSize = { minimum: 1, preferred: PAGE, maximum: 0xffffffff };
  readonly #size: bigint;
  readonly #codec: PageCodec;
  readonly #table: PageTable = new PageTable();
  readonly #slabs: Slabs;
  /** The page that was used last comes last. */
  readonly #hot: Map<number, Hot> = new Map();
  readonly #hotPages: number;
  readonly #scratch: Uint8Array;
  #spare: Uint8Array[] = [];
  #pages = 0;
  #reserved = 0;

  constructor(size: bigint, codec: Codec, { level, hot, limit }: StoreOptions) {
    this.#size = size;
    this.#codec = codec.pages(level);
    this.#slabs = new Slabs(limit);
    this.#hotPages = hot;
    this.#scratch = new Uint8Array(codec.bound(PAGE));
  }

  get usage(): StoreUsage {
    return { pages: this.#pages, compressed: this.#slabs.stored, memory: this.#slabs.held + this.#hot.size * PAGE };
  }

  read(target: Uint8Array, offset: bigint): void {
    let page = pageOf(offset);
    let start = Number(offset - offsetOf(page));
    for (let done = 0; done < target.length; start = 0, page += 1) {
      const length = Math.min(PAGE - start, target.length - done);
      const piece = target.subarray(done, done + length);
      const hot = this.#hot.get(page);
      const entry = this.#table.get(page);
      if (hot !== undefined) piece.set(hot.bytes.subarray(start, start + length));
      else if (entry < STORED) piece.fill(0);
      else if (length === PAGE) this.#unpack(entry, piece);
      else piece.set(this.#warm(page).bytes.subarray(start, start + length));
      done += length;
    }
  }

  write(source: Uint8Array, offset: bigint): void {
    let page = pageOf(offset);
    let start = Number(offset - offsetOf(page));
    for (let done = 0; done < source.length; start = 0, page += 1) {
      const length = Math.min(PAGE - start, source.length - done);
      const piece = source.subarray(done, done + length);
      if (length === PAGE) {
        this.#pack(page, piece);
        this.#cool(page);
      } else {
        const hot = this.#warm(page);
        hot.bytes.set(piece, start);
        this.#change(page, hot);
      }
      done += length;
    }
  }

  zero(offset: bigint, length: bigint, { noHole }: ZeroFlags): void {
    const end = offset + length;
    const first = pageOf(offset + BigInt(PAGE - 1));
    // The last page may reach beyond the end of the disk.
    const last = end === this.#size ? pageOf(end + BigInt(PAGE - 1)) : pageOf(end);
    if (first > last) {
      this.#zeroPart(pageOf(offset), offset, end, noHole);
      return;
    }
    if (offset < offsetOf(first)) this.#zeroPart(first - 1, offset, offsetOf(first), noHole);
    if (noHole) this.#reserve(first, last);
    else for (const page of this.#table.used(first, last)) this.#drop(page, HOLE);
    if (end > offsetOf(last)) this.#zeroPart(last, offsetOf(last), end, noHole);
  }

  *extents(offset: bigint, length: bigint): Generator<Extent> {
    const end = offset + length;
    for (const { first, end: stop, kind } of this.#table.runs(pageOf(offset), pageOf(end + BigInt(PAGE - 1)))) {
      const at = first === pageOf(offset) ? offset : offsetOf(first);
      let limit = offsetOf(stop);
      if (limit > end) limit = end;
      yield { offset: at, length: limit - at, hole: kind === HOLE, zero: kind !== HOT };
    }
  }

  #zeroPart(page: number, from: bigint, to: bigint, noHole: boolean): void {
    const entry = this.#table.get(page);
    if (entry === HOLE && noHole) this.#reserve(page, page + 1);
    if (entry < HOT) return;
    const hot = this.#warm(page);
    const start = Number(from - offsetOf(page));
    hot.bytes.fill(0, start, start + Number(to - from));
    this.#change(page, hot);
    if (!noHole && isZero(hot.bytes)) this.#drop(page, HOLE);
  }

  /** Makes allocated zeroes of whole pages. They take no memory yet, but more than the machine has is not promised. */
  #reserve(first: number, last: number): void {
    const most = Math.floor(totalmem() / PAGE);
    if (last - first + this.#reserved + this.#pages > most) {
      throw new DiskError(
        "ENOSPC",
        `cannot zero without making a hole: the machine has no memory for ${last - first} pages of ${PAGE} bytes`,
        {
          offset: offsetOf(first),
        },
      );
    }
    for (let page = first; page < last; page += 1) this.#drop(page, RESERVED);
  }

  /** A page uncompressed, among the hot ones. */
  #warm(page: number): Hot {
    const known = this.#hot.get(page);
    if (known !== undefined) {
      this.#hot.delete(page);
      this.#hot.set(page, known);
      return known;
    }
    // First of all: should there be no memory for the page that has to go, nothing has happened yet.
    if (this.#hot.size >= this.#hotPages) this.#evict();
    const bytes = this.#spare.pop() ?? new Uint8Array(PAGE);
    const entry = this.#table.get(page);
    if (entry >= STORED) this.#unpack(entry, bytes);
    else bytes.fill(0);
    const hot = { bytes, changed: false };
    this.#hot.set(page, hot);
    return hot;
  }

  #change(page: number, hot: Hot): void {
    hot.changed = true;
    if (this.#table.get(page) < HOT) this.#enter(page, HOT);
  }

  /** Compresses the hot page that was not used for the longest time, and forgets it. */
  #evict(): void {
    const [oldest] = this.#hot;
    if (oldest === undefined) return;
    const [page, { bytes, changed }] = oldest;
    if (changed) this.#pack(page, bytes);
    this.#cool(page);
  }

  /** A hot page is not needed any more. */
  #cool(page: number): void {
    const hot = this.#hot.get(page);
    if (hot === undefined) return;
    this.#hot.delete(page);
    if (this.#spare.length < 16) this.#spare.push(hot.bytes);
  }

  /** Compresses a page and keeps it so. */
  #pack(page: number, bytes: Uint8Array): void {
    if (isZero(bytes)) {
      this.#enter(page, HOLE);
      return;
    }
    const length = this.#codec.compress(bytes, this.#scratch);
    const packed = length <= WORTHWHILE ? this.#scratch.subarray(0, length) : bytes;
    const entry = this.#table.get(page);
    if (entry >= STORED) this.#table.set(page, STORED + this.#slabs.replace(entry - STORED, packed));
    else this.#enter(page, STORED + this.#slabs.put(packed));
  }

  #unpack(entry: number, target: Uint8Array): void {
    const packed = this.#slabs.get(entry - STORED);
    if (packed.length === PAGE) target.set(packed);
    else this.#codec.decompress(packed, target);
  }

  #drop(page: number, entry: typeof HOLE | typeof RESERVED): void {
    this.#cool(page);
    this.#enter(page, entry);
  }

  /** Changes what the table says of a page, and gives up what that was. */
  #enter(page: number, entry: number): void {
    const before = this.#table.get(page);
    if (before >= STORED) this.#slabs.free(before - STORED);
    this.#pages += (entry >= HOT ? 1 : 0) - (before >= HOT ? 1 : 0);
    this.#reserved += (entry === RESERVED ? 1 : 0) - (before === RESERVED ? 1 : 0);
    this.#table.set(page, entry);
  }
}

function isZero(bytes: Uint8Array): boolean {
  // Most pages that are not zero show it at once.
  return bytes[0] === 0 && bytes[PAGE / 2] === 0 && Buffer.compare(bytes, ZEROES) === 0;
}
