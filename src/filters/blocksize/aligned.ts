// A disk that takes requests of any alignment and length, over one that wants whole blocks and not too many at once.

import type { RangeLocks } from "../../common/range-locks.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import { DiskError } from "../../contract/error.ts";
import type { ExtentFlags, WriteFlags, ZeroFlags } from "../../contract/flags.ts";
import { together } from "../../contract/together.ts";
import { inPieces } from "./in-pieces.ts";

/** What the disk below takes, in bytes. */
export interface BlockLimits {
  /** Its blocks: a power of two. */
  readonly minblock: bigint;
  /** At most so many to read or write at once: a multiple of the block. */
  readonly maxdata: bigint;
  /** At most so many to zero, trim, cache or list at once: a multiple of the block. */
  readonly maxlen: bigint;
}

/** A request that with its blocks' rest is no longer than this is made as one, by way of a buffer. */
const SHORT = 65_536n;

/** The requests of one client. Writes that share a block with another one's part of it wait for each other, whoever's they are. */
export class Aligned {
  /** Of the disk: whole blocks. */
  readonly size: bigint;
  readonly #disk: Disk;
  readonly #limits: BlockLimits;
  readonly #mask: bigint;
  readonly #locks: RangeLocks;
  readonly #lockShift: bigint;
  readonly #signal: AbortSignal;

  constructor(disk: Disk, limits: BlockLimits, locks: RangeLocks, signal: AbortSignal) {
    this.#disk = disk;
    this.#limits = limits;
    this.#mask = limits.minblock - 1n;
    this.#locks = locks;
    // Ranges of at least 1 KiB, as their numbers are exact on the largest disk then.
    this.#lockShift = BigInt(Math.max(10, Math.log2(Number(limits.minblock))));
    this.#signal = signal;
    this.size = disk.size & ~this.#mask;
  }

  /** Whether a range is whole blocks, and no more than is taken at once: a request that can be passed on as it is. */
  fits(offset: bigint, length: bigint): boolean {
    return ((offset | length) & this.#mask) === 0n && length <= this.#limits.maxdata;
  }

  read(target: Uint8Array, offset: bigint): Awaitable<void> {
    const length = BigInt(target.length);
    if (this.fits(offset, length)) return this.#disk.read(target, offset);
    const [start, end] = [this.#down(offset), this.#up(offset + length)];
    if (this.#isShort(end - start)) {
      const bounce = new Uint8Array(Number(end - start));
      const from = Number(offset - start);
      const copy = (): void => target.set(bounce.subarray(from, from + target.length));
      const done = this.#disk.read(bounce, start);
      return isPromise(done) ? done.then(copy) : copy();
    }
    return this.#parts(offset, offset + length, this.#limits.maxdata, (at, bytes) => {
      const part = target.subarray(Number(at - offset), Number(at - offset + bytes));
      return this.fits(at, bytes) ? this.#disk.read(part, at) : this.read(part, at);
    });
  }

  write(source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const length = BigInt(source.length);
    if (this.fits(offset, length)) return this.#whole(offset, length, () => this.#disk.write(source, offset, flags));
    const at = (from: bigint, bytes: bigint): Uint8Array => source.subarray(Number(from - offset), Number(from - offset + bytes));
    if (((offset | length) & this.#mask) === 0n) {
      return this.#whole(offset, length, () =>
        inPieces(offset, offset + length, this.#limits.maxdata, this.#signal, (from, bytes) =>
          this.#disk.write(at(from, bytes), from, flags),
        ),
      );
    }
    return this.#alone(offset, length, () => {
      if (this.#isShort(this.#up(offset + length) - this.#down(offset))) return this.#patch(source, offset, flags);
      return this.#parts(offset, offset + length, this.#limits.maxdata, (from, bytes) =>
        this.fits(from, bytes) ? this.#disk.write(at(from, bytes), from, flags) : this.#patch(at(from, bytes), from, flags),
      );
    });
  }

  zero(offset: bigint, length: bigint, flags: ZeroFlags): Awaitable<void> {
    const pass = (from: bigint, bytes: bigint): Awaitable<void> => this.#disk.zero(from, bytes, flags);
    const { maxlen } = this.#limits;
    if (((offset | length) & this.#mask) === 0n) {
      return this.#whole(offset, length, () => inPieces(offset, offset + length, maxlen, this.#signal, pass));
    }
    if (flags.fastZero)
      throw new DiskError("ENOTSUP", `cannot zero fast: parts of blocks of ${this.#limits.minblock} bytes have to be written`);
    return this.#alone(offset, length, () =>
      this.#parts(offset, offset + length, maxlen, (from, bytes) =>
        ((from | bytes) & this.#mask) === 0n ? pass(from, bytes) : this.#patch(new Uint8Array(Number(bytes)), from, flags),
      ),
    );
  }

  /** Trims the whole blocks of a range; the rest is left as it is. */
  trim(offset: bigint, length: bigint, flags: WriteFlags): Awaitable<void> {
    const [start, end] = [this.#up(offset), this.#down(offset + length)];
    if (start >= end) return undefined;
    return this.#whole(start, end - start, () =>
      inPieces(start, end, this.#limits.maxlen, this.#signal, (from, bytes) => this.#disk.trim(from, bytes, flags)),
    );
  }

  cache(offset: bigint, length: bigint): Awaitable<void> {
    return inPieces(this.#down(offset), this.#up(offset + length), this.#limits.maxlen, this.#signal, (from, bytes) =>
      this.#disk.cache(from, bytes),
    );
  }

  /** Asks for the extents of the blocks of a range, up to what may be asked for at once: the caller goes on from there. */
  listed<T>(
    list: (offset: bigint, length: bigint, flags?: ExtentFlags) => Awaitable<readonly T[]>,
  ): (offset: bigint, length: bigint, flags: ExtentFlags) => Awaitable<readonly T[]> {
    return (offset, length, flags) => {
      const start = this.#down(offset);
      let bytes = this.#up(offset + length) - start;
      if (bytes > this.#limits.maxlen) bytes = this.#limits.maxlen;
      // The first one may lie before what was asked for.
      return list(start, bytes, start === offset ? flags : { ...flags, reqOne: false });
    };
  }

  /** Works on a range part by part: what of its first and last block is not whole, and the whole blocks between in pieces. */
  #parts(start: bigint, end: bigint, most: bigint, step: (at: bigint, length: bigint) => Awaitable<void>): Awaitable<void> {
    const [from, to] = [this.#up(start), this.#down(end)];
    if (from > to) return step(start, end - start);
    const steps: (() => Awaitable<void>)[] = [];
    if (start < from) steps.push(() => step(start, from - start));
    if (from < to) steps.push(() => inPieces(from, to, most, this.#signal, step));
    if (to < end) steps.push(() => step(to, end - to));
    const later: PromiseLike<void>[] = [];
    for (const act of steps) {
      try {
        const done = act();
        if (isPromise(done)) later.push(done);
      } catch (error) {
        if (later.length === 0) throw error;
        later.push(Promise.reject(error));
        break;
      }
    }
    return later.length === 0 ? undefined : together(later);
  }

  /** Writes parts of blocks, and the blocks between: reads the first and the last, and writes them whole. */
  #patch(source: Uint8Array, offset: bigint, flags: WriteFlags): Awaitable<void> {
    const end = offset + BigInt(source.length);
    const [first, stop] = [this.#down(offset), this.#up(end)];
    const { minblock } = this.#limits;
    const bounce = new Uint8Array(Number(stop - first));
    const write = (): Awaitable<void> => {
      bounce.set(source, Number(offset - first));
      return this.#disk.write(bounce, first, { fua: flags.fua });
    };
    const last = stop - minblock;
    const head = offset > first || last === first ? this.#disk.read(bounce.subarray(0, Number(minblock)), first) : undefined;
    const tail = (): Awaitable<void> =>
      last > first && end < stop ? this.#disk.read(bounce.subarray(Number(last - first)), last) : undefined;
    if (isPromise(head)) return head.then(tail).then(write);
    const tailDone = tail();
    return isPromise(tailDone) ? tailDone.then(write) : write();
  }

  /** Does what changes whole blocks only: such requests need not wait for each other. */
  #whole(offset: bigint, length: bigint, work: () => Awaitable<void>): Awaitable<void> {
    return this.#limits.minblock === 1n ? work() : this.#locked(offset, length, false, work);
  }

  /** Does what changes parts of blocks: nobody else may change the rest of them meanwhile. */
  #alone(offset: bigint, length: bigint, work: () => Awaitable<void>): Awaitable<void> {
    return this.#locked(offset, length, true, work);
  }

  #locked(offset: bigint, length: bigint, exclusive: boolean, work: () => Awaitable<void>): Awaitable<void> {
    const first = Number(offset >> this.#lockShift);
    const last = Number((offset + length - 1n) >> this.#lockShift);
    if (!this.#locks.isFree(first, last, exclusive)) return this.#locks.run(first, last, exclusive, work);
    const done = work();
    return isPromise(done) ? this.#locks.during(first, last, exclusive, done) : done;
  }

  #isShort(length: bigint): boolean {
    return length <= SHORT && length <= this.#limits.maxdata;
  }

  #down(offset: bigint): bigint {
    return offset & ~this.#mask;
  }

  #up(offset: bigint): bigint {
    return (offset + this.#mask) & ~this.#mask;
  }
}
