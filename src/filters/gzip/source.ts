// The compressed bytes of a disk, in order, in a buffer that whoever decodes them works on directly.

import { readPieces } from "../../common/pieces.ts";
import { type Awaitable, andThen } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";

/** Bytes of the disk that are read at once. */
const READ = 1024 * 1024;
/** Reads start at multiples of this, as disks like it. */
const ALIGN = 4096;
/** Bytes behind the last ones that read as zeroes, so that who decodes need not ask for the end at every step. */
export const MARGIN = 1024;

/** Reads a disk from front to back, a large piece at a time. */
export class Source {
  readonly #disk: Disk;
  /** Where the disk ends. */
  readonly size: number;
  /** What was read. */
  readonly bytes: Uint8Array;
  /** Index in `bytes` of the next byte, */
  at = 0;
  /** and of the end of what was read. */
  end = 0;
  /** Where on the disk `bytes` starts. */
  #base = 0;

  constructor(disk: Disk, read: number = READ) {
    this.#disk = disk;
    this.size = Number(disk.size);
    this.bytes = new Uint8Array(Math.min(read, Math.ceil(this.size / ALIGN) * ALIGN) + 2 * MARGIN + ALIGN);
  }

  /** Where on the disk the next byte is. */
  get position(): number {
    return this.#base + this.at;
  }

  /** Whether everything up to the end of the disk is in the buffer. */
  get last(): boolean {
    return this.#base + this.end >= this.size;
  }

  /** Bytes that are in the buffer. */
  get left(): number {
    return this.end - this.at;
  }

  /** Goes to a byte of the disk. */
  seek(position: number): void {
    const at = position - this.#base;
    if (at >= 0 && at <= this.end) {
      this.at = at;
      return;
    }
    const start = position - (position % ALIGN);
    this.#base = start;
    this.end = 0;
    this.at = position - start;
  }

  /** Has at least {@link MARGIN} bytes in the buffer, or all that are left. */
  fill(): Awaitable<void> {
    if (this.left >= MARGIN || this.last) {
      if (this.last) this.bytes.fill(0, this.end, this.end + MARGIN);
      return undefined;
    }
    // What is left moves to the front, as far as multiples of ALIGN allow.
    const keep = this.at < this.end ? this.at - ((this.#base + this.at) % ALIGN) : this.end;
    if (keep > 0) {
      this.bytes.copyWithin(0, keep, this.end);
      this.#base += keep;
      this.at -= keep;
      this.end -= keep;
    }
    const wanted = Math.min(this.bytes.length - MARGIN - this.end, this.size - this.#base - this.end);
    const from = this.#base + this.end;
    const count = wanted - (this.#base + this.end + wanted < this.size ? (from + wanted) % ALIGN : 0);
    const target = this.bytes.subarray(this.end, this.end + count);
    return andThen(readPieces(this.#disk, target, BigInt(from)), () => {
      this.end += count;
      return this.fill();
    });
  }
}
