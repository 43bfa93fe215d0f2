// Finding the frames of a file that has no seek table: their headers and those of their blocks are read, what is between them is not.

import { setImmediate } from "node:timers/promises";
import type { Disk } from "diskwright";
import { readRange } from "../source.ts";
import { FormatError } from "./format-error.ts";
import { Frames } from "./frames.ts";
import { LONGEST_HEADER, littleEndian, MAGIC, parseFrameHeader, SKIPPABLE } from "./header.ts";

/** Bytes that are read around a header: the next one may be among them. */
const WINDOW = 4096;
/** Decompresses a frame to learn how much it holds. */
export type Measure = (at: number, length: number) => Promise<number>;

/**
 * Reads a file from its start to its end.
 *
 * @param measure - called for frames that do not say how much they hold
 * @throws FormatError when it is no zstd file or its structure is damaged
 */
export async function scan(disk: Disk, measure: Measure, signal: AbortSignal): Promise<Frames> {
  const file = new Forwards(disk, signal);
  const frames = new Frames();
  for (let at = 0; at < file.size; ) {
    const start = await file.read(at, LONGEST_HEADER);
    const magic = start.length < 8 ? 0 : littleEndian(start, 0, 4);
    if (magic >= SKIPPABLE && magic < SKIPPABLE + 16) {
      at += 8 + littleEndian(start, 4, 4);
      if (at > file.size) throw new FormatError("it ends in the middle of a skippable frame");
      continue;
    }
    if (magic !== MAGIC) {
      throw new FormatError(
        at === 0 ? "not a zstd file: it does not begin as zstd files do" : `there is no frame at byte ${at}, where one ended`,
      );
    }
    const header = parseFrameHeader(start, at);
    const end = await skipBlocks(file, at, at + header.length, header.checksum);
    frames.add(at, end - at, header.size ?? (await measure(at, end - at)));
    at = end;
  }
  if (file.size === 0) throw new FormatError("not a zstd file: it is empty");
  return frames;
}

/** Where a frame ends whose first block is at `first`: RFC 8878, section 3.1.1.2. */
async function skipBlocks(file: Forwards, frame: number, first: number, checksum: boolean): Promise<number> {
  let at = first;
  for (let last = false; !last; ) {
    const block = await file.read(at, 3);
    if (block.length < 3) throw new FormatError(`it ends in the middle of the frame at byte ${frame}`);
    const bits = littleEndian(block, 0, 3);
    const type = (bits >> 1) & 3;
    if (type === 3) throw new FormatError(`the frame at byte ${frame} has a block of a kind that is not defined`);
    // A run of one byte takes one byte, whatever its length.
    at += 3 + (type === 1 ? 1 : bits >> 3);
    last = (bits & 1) !== 0;
  }
  const end = at + (checksum ? 4 : 0);
  if (end > file.size) throw new FormatError(`it ends in the middle of the frame at byte ${frame}`);
  return end;
}

/** Reads small pieces, most of them near to each other. */
class Forwards {
  readonly size: number;
  readonly #disk: Disk;
  readonly #signal: AbortSignal;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(disk: Disk, signal: AbortSignal) {
    this.#disk = disk;
    this.#signal = signal;
    this.size = Number(disk.size);
  }

  /** Answers fewer bytes where the file ends. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    if (offset < this.#start || end > this.#start + this.#window.length) {
      this.#signal.throwIfAborted();
      // A file may have very many frames: everybody else gets a turn now and then.
      await setImmediate();
      this.#window = await readRange(this.#disk, Math.min(offset, this.size), Math.max(0, Math.min(WINDOW, this.size - offset)));
      this.#start = offset;
    }
    return this.#window.subarray(offset - this.#start, Math.max(end, offset) - this.#start);
  }
}
