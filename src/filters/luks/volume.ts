// An unlocked volume: what its clients share, and what each of them sees.

import { RangeLocks } from "../../common/range-locks.ts";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { BlockSize } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import type { Overrides } from "../../contract/filter.ts";
import { BufferPool } from "./buffer-pool.ts";
import type { Digest, LuksHeader } from "./header.ts";
import { refused } from "./refused.ts";
import { sectorCipher } from "./sector-cipher.ts";
import { type OpenSegment, SegmentDisk } from "./segment-disk.ts";
import { BulkCipher } from "./threads/bulk-cipher.ts";

/** A volume whose keys are known. */
export class Volume {
  readonly #segments: readonly OpenSegment[];

  /**
   * @param keys - of each digest; overwritten here, as the ciphers have their own
   * @param threads - that may encrypt and decrypt
   */
  constructor(header: LuksHeader, keys: ReadonlyMap<Digest, Uint8Array>, threads: number) {
    const pool = new BufferPool();
    try {
      this.#segments = header.segments.map((segment) => {
        const key = keys.get(segment.digest) as Uint8Array;
        const cipher = new BulkCipher(sectorCipher(segment.encryption, key, segment.sectorSize), key, { threads });
        return { segment, cipher, locks: new RangeLocks(), pool };
      });
    } finally {
      for (const key of keys.values()) key.fill(0);
    }
  }

  /** A client's view. */
  open(disk: Disk, allowDiscards: boolean): Overrides {
    const minimum = disk.blockSize?.minimum ?? 1;
    const units = this.#segments.map(({ segment }) => Math.max(segment.sectorSize, minimum));
    const parts: Part[] = [];
    let size = 0n;
    for (const [index, open] of this.#segments.entries()) {
      const { segment } = open;
      const unit = units[index] as number;
      if (segment.offset % BigInt(minimum) !== 0n) {
        throw refused(`the data begin at ${segment.offset}, which is no multiple of the disk's smallest block (${minimum} bytes)`);
      }
      const start = size;
      size += segment.length - (segment.length % BigInt(unit));
      parts.push({ start, end: size, disk: new SegmentDisk(disk, open, unit) });
    }
    const view = parts.length === 1 ? (parts[0] as Part).disk : new Joined(parts);
    return {
      size,
      blockSize: blockSizeOver(disk.blockSize, Math.max(...units)),
      traits: { trimZeroes: false },
      read: (target, offset) => view.read(target, offset),
      write: (source, offset, flags) => view.write(source, offset, flags),
      trim: allowDiscards && disk.capabilities.trim ? (offset, length, flags) => view.trim(offset, length, flags) : undefined,
      ...(disk.capabilities.cache === "native" && { cache: (offset: bigint, length: bigint) => view.cache(offset, length) }),
      // Zeroes are written like everything else, and what is a hole below does not read as zeroes.
      zero: undefined,
      extents: undefined,
      contexts: [],
    };
  }

  /** Does without threads from now on. */
  async leaveThreads(): Promise<void> {
    await Promise.all(this.#segments.map(({ cipher }) => cipher.leaveThreads()));
  }

  /** Overwrites what is left of keys and content, once requests under way are done. */
  async wipe(): Promise<void> {
    await Promise.all(this.#segments.map(({ cipher }) => cipher.wipe()));
  }
}

/** Any range is welcome: what is no whole sector is read, changed and written back here. */
function blockSizeOver(below: BlockSize | undefined, unit: number): BlockSize {
  return { minimum: 1, preferred: Math.max(4096, unit, below?.preferred ?? 0), maximum: Math.max(4096, below?.maximum ?? 0xffffffff) };
}

interface Part {
  readonly start: bigint;
  readonly end: bigint;
  readonly disk: SegmentDisk;
}

/** Several segments, one after the other. */
class Joined {
  readonly #parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  read(target: Uint8Array, offset: bigint): Awaitable<void> {
    return this.#each(offset, BigInt(target.length), (disk, at, length, done) =>
      disk.read(target.subarray(done, done + Number(length)), at),
    );
  }

  write(source: Uint8Array, offset: bigint, flags: Parameters<SegmentDisk["write"]>[2]): Awaitable<void> {
    return this.#each(offset, BigInt(source.length), (disk, at, length, done) =>
      disk.write(source.subarray(done, done + Number(length)), at, flags),
    );
  }

  trim(offset: bigint, length: bigint, flags: Parameters<SegmentDisk["trim"]>[2]): Awaitable<void> {
    return this.#each(offset, length, (disk, at, bytes) => disk.trim(at, bytes, flags));
  }

  cache(offset: bigint, length: bigint): Awaitable<void> {
    return this.#each(offset, length, (disk, at, bytes) => disk.cache(at, bytes));
  }

  /** Calls `step` for what of the range lies in each part, in order. */
  #each(
    offset: bigint,
    length: bigint,
    step: (disk: SegmentDisk, offset: bigint, length: bigint, done: number) => Awaitable<void>,
    from = 0,
  ): Awaitable<void> {
    const end = offset + length;
    for (let index = from; index < this.#parts.length; index += 1) {
      const part = this.#parts[index] as Part;
      const start = offset > part.start ? offset : part.start;
      let stop = part.end;
      if (end < stop) stop = end;
      if (start >= stop) continue;
      const done = step(part.disk, start - part.start, stop - start, Number(start - offset));
      if (isPromise(done)) return done.then(() => this.#each(offset, length, step, index + 1));
    }
    return undefined;
  }
}
