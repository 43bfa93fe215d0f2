// One segment of a volume: sectors of the disk below, decrypted when they are read and encrypted when they are written.

import type { RangeLocks } from "../../common/range-locks.ts";
import { type Awaitable, andThen, isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import type { WriteFlags } from "../../contract/flags.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { Segment } from "./header.ts";
import type { BulkCipher } from "./threads/bulk-cipher.ts";

/** A segment that has been unlocked. Its clients share it. */
export interface OpenSegment {
  readonly segment: Segment;
  readonly cipher: BulkCipher;
  /** Of ranges of 512 bytes. They keep writes of parts of units apart from whatever else is written to the same units. */
  readonly locks: RangeLocks;
  readonly pool: BufferPool;
}

/** A client's view of a segment; offsets are those in the segment. */
export class SegmentDisk {
  readonly #disk: Disk;
  readonly #unit: number;
  /** Of an offset, what lies before the unit that it is in. */
  readonly #mask: bigint;
  /** Bytes that the disk below takes at once: whole units. */
  readonly #most: number;
  readonly #start: bigint;
  readonly #firstSector: bigint;
  readonly #cipher: BulkCipher;
  readonly #locks: RangeLocks;
  readonly #pool: BufferPool;

  /** @param unit - bytes that are read and written whole: those of a sector, or of a block of the disk below where that is larger */
  constructor(disk: Disk, { segment, cipher, locks, pool }: OpenSegment, unit: number) {
    this.#disk = disk;
    this.#unit = unit;
    this.#mask = BigInt(unit - 1);
    const most = disk.blockSize?.maximum ?? 0xffffffff;
    this.#most = Math.max(unit, most - (most % unit));
    this.#start = segment.offset;
    this.#firstSector = segment.firstSector;
    this.#cipher = cipher;
    this.#locks = locks;
    this.#pool = pool;
  }

  read(target: Uint8Array, offset: bigint): Awaitable<void> {
    if (this.#extra(offset) + (target.length % this.#unit) !== 0) return this.#readPart(target, offset);
    return this.#readWhole(target, offset);
  }

  write(source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const extra = this.#extra(offset);
    const locks = this.#locks;
    const first = Number((offset - BigInt(extra)) / 512n);
    const last = first + this.#whole(extra + source.length) / 512 - 1;
    const partial = extra + (source.length % this.#unit) !== 0;
    if (!locks.isNext(first, last, partial)) return locks.run(first, last, partial, () => this.#write(source, offset, flags, partial));
    const done = this.#write(source, offset, flags, partial);
    return isPromise(done) ? locks.during(first, last, partial, done) : done;
  }

  #write(source: Uint8Array, offset: bigint, flags: WriteFlags, partial: boolean): Awaitable<void> {
    return partial ? this.#writePart(source, offset, flags) : this.#writeWhole(source, offset, flags);
  }

  /** Trims the whole units of the range: to trim a part of one would lose the rest of it. */
  trim(offset: bigint, length: bigint, flags: WriteFlags): Awaitable<void> {
    const unit = BigInt(this.#unit);
    const start = offset + ((unit - (offset % unit)) % unit);
    const end = offset + length - ((offset + length) % unit);
    return start < end ? this.#disk.trim(this.#start + start, end - start, flags) : undefined;
  }

  cache(offset: bigint, length: bigint): Awaitable<void> {
    const unit = BigInt(this.#unit);
    const start = offset - (offset % unit);
    const end = offset + length + ((unit - ((offset + length) % unit)) % unit);
    return this.#disk.cache(this.#start + start, end - start);
  }

  /** Bytes of the first unit that lie before the range. */
  #extra(offset: bigint): number {
    return Number(offset & this.#mask);
  }

  #sector(offset: bigint): bigint {
    return this.#firstSector + offset / 512n;
  }

  #decrypt(target: Uint8Array, offset: bigint): Awaitable<void> {
    return this.#cipher.decrypt(target, target, this.#sector(offset));
  }

  #readWhole(target: Uint8Array, offset: bigint): Awaitable<void> {
    const at = this.#start + offset;
    const done = target.length > this.#most ? this.#inPieces(target, at, this.#disk.read) : this.#disk.read(target, at);
    return isPromise(done) ? done.then(() => this.#decrypt(target, offset)) : this.#decrypt(target, offset);
  }

  /** Reads the units that the range lies in, and takes out what is wanted. */
  #readPart(target: Uint8Array, offset: bigint): Awaitable<void> {
    const extra = this.#extra(offset);
    const bytes = new Uint8Array(this.#whole(extra + target.length));
    const start = offset - BigInt(extra);
    const finish = (): void => target.set(bytes.subarray(extra, extra + target.length));
    return andThen(this.#readWhole(bytes, start), finish);
  }

  #writeWhole(source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const encrypted = this.#pool.take(source.length);
    const ready = this.#cipher.encrypt(encrypted, source, this.#sector(offset));
    const done = isPromise(ready)
      ? ready.then(() => this.#writeBelow(encrypted, offset, flags))
      : this.#writeBelow(encrypted, offset, flags);
    if (!isPromise(done)) return this.#pool.giveBack(encrypted);
    return done.then(
      () => this.#pool.giveBack(encrypted),
      (error: unknown) => {
        this.#pool.giveBack(encrypted);
        throw error;
      },
    );
  }

  #writeBelow(encrypted: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const at = this.#start + offset;
    return encrypted.length > this.#most
      ? this.#inPieces(encrypted, at, (piece, place) => this.#disk.write(piece, place, flags))
      : this.#disk.write(encrypted, at, flags);
  }

  /** Reads the units that the range begins and ends in, changes them, and writes everything at once. */
  #writePart(source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const extra = this.#extra(offset);
    const start = offset - BigInt(extra);
    const bytes = new Uint8Array(this.#whole(extra + source.length));
    const tail = bytes.length - this.#unit;
    const finish = (): Awaitable<void> => {
      bytes.set(source, extra);
      return this.#writeWhole(bytes, start, flags);
    };
    const readTail = (): Awaitable<void> => {
      // The last unit has been read already where it is the first, and need not be where all of it is written.
      const needed = tail > 0 && extra + source.length < bytes.length;
      return needed ? this.#readWhole(bytes.subarray(tail), start + BigInt(tail)) : undefined;
    };
    const headNeeded = extra > 0 || tail === 0;
    const head = headNeeded ? this.#readWhole(bytes.subarray(0, this.#unit), start) : undefined;
    const both = isPromise(head) ? head.then(readTail) : readTail();
    return isPromise(both) ? both.then(finish) : finish();
  }

  /** For requests that became longer, as whole units, than the disk below takes. */
  async #inPieces(bytes: Uint8Array, offset: bigint, step: (piece: Uint8Array, offset: bigint) => Awaitable<void>): Promise<void> {
    for (let at = 0; at < bytes.length; at += this.#most) await step(bytes.subarray(at, at + this.#most), offset + BigInt(at));
  }

  #whole(length: number): number {
    return Math.ceil(length / this.#unit) * this.#unit;
  }
}
