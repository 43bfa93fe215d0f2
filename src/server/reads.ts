// Answers read requests. What the disk has at hand is answered in the same tick: small reads are filled straight into the output buffer,
// large ones are lent by the disk or filled into a pooled buffer, holes are sent as holes.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Extent } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { together } from "../contract/together.ts";
import { Chunk, ChunkFlag, SIMPLE_REPLY_SIZE } from "../protocol/constants.ts";
import { chunkHeaderSize, putChunk, putSimpleReply, type ReplyMode, type RequestId, requestId } from "../protocol/replies.ts";
import type { BufferPool } from "./buffers.ts";
import type { Output } from "./output.ts";

/** Up to this much is copied into the output buffer; beyond it, lending the pages is faster (bench: 16 KiB is where they meet). */
const SMALL = 16 * 1024;
/** Reads from this size on are looked through for holes, */
const SPARSE = 64 * 1024;
/** and so large must a hole be to be worth a chunk of its own. */
const LEAST_HOLE = 4096n;

/** Reads from a disk into replies. Each call answers at once, or with a promise whose result must be called to write the reply. */
export class Reads {
  readonly #disk: Disk;
  readonly #output: Output;
  readonly #pool: BufferPool;
  readonly #mode: ReplyMode;
  readonly #headerSize: number;
  /** The disk answered its last read later: its next one gets a buffer of its own rather than a place in the output. */
  #later = false;
  #sparse: boolean;

  constructor(disk: Disk, output: Output, pool: BufferPool, mode: ReplyMode) {
    this.#disk = disk;
    this.#output = output;
    this.#pool = pool;
    this.#mode = mode;
    this.#headerSize = mode === "simple" ? SIMPLE_REPLY_SIZE : chunkHeaderSize(mode) + 8;
    this.#sparse = mode !== "simple" && disk.capabilities.extents;
  }

  /** Answers a read; throws what the disk throws, with nothing written. */
  read(id: RequestId, length: number, whole: boolean): Awaitable<() => void> | undefined {
    if (length === 0) return this.#nothing(id);
    if (this.#sparse && !whole && length >= SPARSE) {
      const holes = this.#findHoles(id.offset, length);
      if (holes !== undefined) return this.#readParts(id, holes);
    }
    if (length <= SMALL && !this.#later) return this.#readSmall(id, length);
    const views = length > SMALL && this.#output.lends ? this.#disk.views?.(id.offset, length) : undefined;
    if (views === undefined) return this.#readLarge(id, length);
    checkViews(views, length);
    this.#putHeader(id, length, ChunkFlag.DONE);
    for (const view of views) this.#output.push(view);
    return undefined;
  }

  #nothing(id: RequestId): undefined {
    if (this.#mode === "simple") putSimpleReply(this.#reserved(SIMPLE_REPLY_SIZE), this.#at, 0, id.cookieHigh, id.cookieLow);
    else putChunk(this.#reserved(chunkHeaderSize(this.#mode)), this.#at, this.#mode, ChunkFlag.DONE, Chunk.NONE, id, 0);
    return undefined;
  }

  #readSmall(id: RequestId, length: number): Awaitable<() => void> | undefined {
    const total = this.#headerSize + length;
    const output = this.#output;
    const at = output.reserve(total);
    const { buffer } = output;
    let done: Awaitable<void>;
    const target = buffer.subarray(at + this.#headerSize, at + total);
    try {
      done = this.#disk.read(target, id.offset);
    } catch (error) {
      output.unreserve(total);
      throw error;
    }
    if (!isPromise(done)) {
      this.#writeHeader(buffer, at, id, length, id.offset, ChunkFlag.DONE);
      return undefined;
    }
    // The plugin holds on to its place in the output buffer, so that buffer is left to it.
    this.#later = true;
    output.abandon(total);
    const later = requestId(id);
    return done.then(() => () => {
      this.#putHeader(later, length, ChunkFlag.DONE);
      output.push(target);
    });
  }

  #readLarge(id: RequestId, length: number): Awaitable<() => void> | undefined {
    const total = this.#headerSize + length;
    const buffer = this.#pool.take(total);
    const done = this.#disk.read(buffer.subarray(this.#headerSize, total), id.offset);
    this.#later = isPromise(done);
    // The header is written now: by the time of a later answer its object serves another request.
    this.#writeHeader(buffer, 0, id, length, id.offset, ChunkFlag.DONE);
    const finish = (): void => this.#output.push(buffer.subarray(0, total), buffer);
    if (isPromise(done)) return done.then(() => finish);
    finish();
    return undefined;
  }

  /** The parts of a range if the disk says at once that some of it reads as zeroes. */
  #findHoles(offset: bigint, length: number): readonly Extent[] | undefined {
    let list: Awaitable<readonly Extent[]>;
    try {
      list = this.#disk.extents(offset, BigInt(length));
    } catch {
      // Without a map the range is read whole: whether that fails is what the client wants to know.
      this.#sparse = false;
      return undefined;
    }
    if (isPromise(list)) {
      // Asking costs a wait here: not worth it for every read. What became of this answer is of no interest.
      list.then(undefined, () => undefined);
      this.#sparse = false;
      return undefined;
    }
    if (!list.some(isHole)) return undefined;
    const parts: Extent[] = [];
    const add = (part: Extent): void => {
      const last = parts.at(-1);
      if (last !== undefined && isHole(last) === isHole(part)) parts[parts.length - 1] = { ...last, length: last.length + part.length };
      else parts.push(part);
    };
    for (const extent of list) add(isHole(extent) ? extent : { offset: extent.offset, length: extent.length });
    const last = list.at(-1) as Extent;
    const covered = last.offset + last.length;
    const end = offset + BigInt(length);
    if (covered < end) add({ offset: covered, length: end - covered });
    return parts;
  }

  #readParts(id: RequestId, parts: readonly Extent[]): Awaitable<() => void> | undefined {
    const buffers: (Buffer | undefined)[] = [];
    const waits: PromiseLike<void>[] = [];
    try {
      for (const part of parts) {
        if (isHole(part)) {
          buffers.push(undefined);
          continue;
        }
        const length = Number(part.length);
        const buffer = this.#pool.take(this.#headerSize + length);
        buffers.push(buffer);
        const done = this.#disk.read(buffer.subarray(this.#headerSize, this.#headerSize + length), part.offset);
        if (isPromise(done)) waits.push(done);
      }
    } catch (error) {
      // The parts that are under way must end before the request does.
      if (waits.length === 0) throw error;
      return Promise.allSettled(waits).then(() => {
        throw error;
      });
    }
    const later = requestId(id);
    const finish = (): void => {
      for (const [index, part] of parts.entries())
        this.#putPart(later, part, buffers[index], index === parts.length - 1 ? ChunkFlag.DONE : 0);
    };
    if (waits.length > 0) return together(waits).then(() => finish);
    finish();
    return undefined;
  }

  #putPart(id: RequestId, part: Extent, buffer: Buffer | undefined, flags: number): void {
    if (buffer !== undefined) {
      const length = Number(part.length);
      this.#writeHeader(buffer, 0, id, length, part.offset, flags);
      this.#output.push(buffer.subarray(0, this.#headerSize + length), buffer);
      return;
    }
    const target = this.#reserved(chunkHeaderSize(this.#mode) + 12);
    const at = putChunk(target, this.#at, this.#mode, flags, Chunk.OFFSET_HOLE, id, 12);
    target.writeBigUInt64BE(part.offset, at);
    target.writeUInt32BE(Number(part.length), at + 8);
  }

  #at = 0;

  #reserved(length: number): Buffer {
    this.#at = this.#output.reserve(length);
    return this.#output.buffer;
  }

  #putHeader(id: RequestId, length: number, flags: number): void {
    const buffer = this.#reserved(this.#headerSize);
    this.#writeHeader(buffer, this.#at, id, length, id.offset, flags);
  }

  #writeHeader(buffer: Buffer, at: number, id: RequestId, length: number, offset: bigint, flags: number): void {
    if (this.#mode === "simple") {
      putSimpleReply(buffer, at, 0, id.cookieHigh, id.cookieLow);
      return;
    }
    const end = putChunk(buffer, at, this.#mode, flags, Chunk.OFFSET_DATA, id, length + 8);
    buffer.writeBigUInt64BE(offset, end);
  }
}

/** A reply of another length than its header says would garble all that follow it. */
function checkViews(views: readonly Uint8Array[], length: number): void {
  let total = 0;
  for (const view of views) total += view instanceof Uint8Array ? view.length : Number.NaN;
  if (total !== length) throw new DiskError("EIO", "the disk lent other bytes than it was asked for");
}

function isHole(part: Extent): boolean {
  return part.zero === true && part.length >= LEAST_HOLE;
}
