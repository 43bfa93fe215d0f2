// Where the blocks of a file are and what they hold: read from the indexes of its streams, from the last to the first, without decompressing anything.

import { createHash } from "node:crypto";
import type { Disk } from "diskwright";
import type { BlockFacts } from "./block.ts";
import { FormatError, roundUp } from "./format/fields.ts";
import { parseIndex, type StreamIndex } from "./format/index.ts";
import { type Check, isXz, parseStreamFooter, parseStreamHeader, STREAM_HEADER } from "./format/stream.ts";
import { Backwards } from "./source.ts";

/** The longest index that is read: that of some ten million blocks. */
const LONGEST_INDEX = 64 * 1024 * 1024;

/** A block, where it lies in the file and what part of the content it holds. */
export interface Block extends BlockFacts {
  /** Where in the file it begins. */
  readonly at: number;
  /** Bytes with padding. */
  readonly length: number;
  /** Where in the content it begins. */
  readonly start: number;
}

/** The blocks of a file. */
export interface Blocks {
  /** Bytes of the content. */
  readonly size: number;
  readonly count: number;
  /** Bytes of the largest block's content. */
  readonly largest: number;
  /** The same for files with the same indexes. */
  readonly fingerprint: string;
  block(number: number): Block;
  /** Where in the content a block begins. */
  startOf(number: number): number;
  /** The number of the block that has a byte of the content. */
  find(offset: number): number;
}

interface Stream extends StreamIndex {
  readonly at: number;
  readonly check: Check;
}

/**
 * Reads the indexes of a file.
 *
 * @throws FormatError when it is no xz file or its structure is damaged
 */
export async function readBlocks(disk: Disk, signal: AbortSignal): Promise<Blocks> {
  const file = new Backwards(disk);
  const hash = createHash("sha256").update(`${disk.size} `);
  const streams: Stream[] = [];
  const size = Number(disk.size);
  if (size > Number.MAX_SAFE_INTEGER) throw new FormatError("it is larger than any file");
  if (size < STREAM_HEADER || !isXz(await file.read(0, STREAM_HEADER)))
    throw new FormatError("not an xz file: it does not begin as xz files do");
  for (let end = await skipPadding(file, size, signal); end > 0; ) {
    signal.throwIfAborted();
    const stream = await readStream(file, end, (bytes) => hash.update(bytes));
    streams.push(stream);
    end = stream.at === 0 ? 0 : await skipPadding(file, stream.at, signal);
  }
  return toBlocks(streams.reverse(), hash.digest("hex"));
}

/** Between streams, and after the last, there may be zeroes: section 2.2. Answers where the stream before them ends. */
async function skipPadding(file: Backwards, end: number, signal: AbortSignal): Promise<number> {
  let at = end;
  while (at >= STREAM_HEADER) {
    signal.throwIfAborted();
    const chunk = Math.min(at, 4096);
    const bytes = await file.read(at - chunk, chunk);
    const last = bytes.findLastIndex((byte) => byte !== 0);
    if (last !== -1) {
      const padding = end - (at - chunk + last + 1);
      // Streams end with a Z and are multiples of four bytes long.
      if (padding % 4 !== 0) throw new FormatError(`a stream is followed by ${padding} zero bytes, which is no multiple of four`);
      return end - padding;
    }
    at -= chunk;
  }
  throw new FormatError("the zeroes at its end are not preceded by a stream");
}

/** Reads what is to be known of the stream that ends at `end`. */
async function readStream(file: Backwards, end: number, seen: (bytes: Uint8Array) => void): Promise<Stream> {
  if (end < 2 * STREAM_HEADER + 8) throw new FormatError("it has a stream that is too short to be one: it was cut off");
  const { check, indexLength } = parseStreamFooter(await file.read(end - STREAM_HEADER, STREAM_HEADER));
  const indexAt = end - STREAM_HEADER - indexLength;
  if (indexAt < STREAM_HEADER) throw new FormatError("the index of a stream is longer than the file: it was cut off");
  if (indexLength > LONGEST_INDEX)
    throw new FormatError(`the index of a stream takes ${indexLength} bytes, more than are read (${LONGEST_INDEX})`);
  const bytes = await file.read(indexAt, indexLength);
  seen(bytes);
  const index = parseIndex(bytes);
  const at = indexAt - index.total - STREAM_HEADER;
  if (at < 0) throw new FormatError("the blocks of a stream are longer than the file: its beginning was cut off");
  const header = parseStreamHeader(await file.read(at, STREAM_HEADER));
  if (header.check !== check) throw new FormatError("the header and the footer of a stream do not agree");
  seen(Buffer.from(check));
  return { ...index, at, check };
}

function toBlocks(streams: readonly Stream[], fingerprint: string): Blocks {
  // Blocks may be empty; nothing is ever read from those.
  const count = streams.reduce((sum, { uncompressed }) => sum + uncompressed.filter((length) => length > 0).length, 0);
  const ats = new Float64Array(count);
  const unpaddeds = new Float64Array(count);
  const starts = new Float64Array(count + 1);
  const checks = new Array<Check>(count);
  let number = 0;
  let start = 0;
  let largest = 0;
  for (const stream of streams) {
    let at = stream.at + STREAM_HEADER;
    for (const [index, length] of stream.uncompressed.entries()) {
      const unpadded = stream.unpadded[index] as number;
      if (length > 0) {
        ats[number] = at;
        unpaddeds[number] = unpadded;
        starts[number] = start;
        checks[number] = stream.check;
        number += 1;
      }
      at += roundUp(unpadded);
      start += length;
      largest = Math.max(largest, length);
    }
  }
  starts[count] = start;
  if (start > Number.MAX_SAFE_INTEGER) throw new FormatError("the content has more bytes than any disk");
  return {
    size: start,
    count,
    largest,
    fingerprint,
    block(wanted) {
      const from = starts[wanted] as number;
      const unpadded = unpaddeds[wanted] as number;
      return {
        at: ats[wanted] as number,
        length: roundUp(unpadded),
        unpadded,
        start: from,
        uncompressed: (starts[wanted + 1] as number) - from,
        check: checks[wanted] as Check,
      };
    },
    startOf: (wanted) => starts[wanted] as number,
    find(offset) {
      let low = 0;
      let high = count - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if ((starts[middle] as number) <= offset) low = middle;
        else high = middle - 1;
      }
      return low;
    },
  };
}
