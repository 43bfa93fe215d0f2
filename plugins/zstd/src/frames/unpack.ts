// Decompressing a frame, as much of it as is asked for.

import type { Disk } from "diskwright";
import type { Codec } from "../codec/codec.ts";
import { readRange } from "../source.ts";
import { FormatError } from "./format-error.ts";
import { CHECKSUM_FLAG, DESCRIPTOR, LONGEST_HEADER, littleEndian, MAGIC, parseFrameHeader } from "./header.ts";

/** Bytes of the file that are read at once. */
const PIECE = 256 * 1024;

/** How frames are decompressed. */
export interface Unpacking {
  readonly disk: Disk;
  readonly codec: Codec;
  /** The most memory that a frame may ask for, as a power of two. */
  readonly windowLog: number;
  readonly signal: AbortSignal;
}

/** A frame by its place, and the checksum that a seek table has of it. */
export interface Packed {
  readonly at: number;
  readonly length: number;
  readonly checksum?: number;
}

/**
 * Decompresses a frame. What it gives was checked once the last piece has been given.
 *
 * @throws FormatError when the frame is damaged, or needs more memory than it may have
 */
export async function* unpack(frame: Packed, how: Unpacking): AsyncGenerator<Uint8Array> {
  const { codec, windowLog, signal } = how;
  let ours: unknown;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* bytesOf(frame, how);
    } catch (error) {
      ours = error;
      throw error;
    }
  };
  try {
    yield* codec.decompress(source(), windowLog);
  } catch (error) {
    signal.throwIfAborted();
    if (ours !== undefined) throw ours;
    throw new FormatError(
      `the frame at byte ${frame.at} cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * The bytes of a frame. Where only the seek table has a checksum of it, the frame is given one: the table's is the very same part of the same hash that
 * a frame's own would be, and so the decoder checks it.
 */
async function* bytesOf({ at, length, checksum }: Packed, { disk, windowLog, signal }: Unpacking): AsyncGenerator<Uint8Array> {
  const start = await readRange(disk, at, Math.min(length, LONGEST_HEADER));
  if (start.length < 8 || littleEndian(start, 0, 4) !== MAGIC) throw new FormatError(`there is no frame at byte ${at}`);
  const header = parseFrameHeader(start, at);
  if (header.window > 2 ** windowLog) {
    throw new FormatError(`the frame at byte ${at} takes ${header.window} bytes of memory to decompress, more than ${2 ** windowLog}`);
  }
  const adds = checksum !== undefined && !header.checksum;
  for (let done = 0; done < length; done += PIECE) {
    signal.throwIfAborted();
    const bytes = await readRange(disk, at + done, Math.min(PIECE, length - done));
    if (done === 0 && adds) bytes[DESCRIPTOR] = (bytes[DESCRIPTOR] as number) | CHECKSUM_FLAG;
    yield bytes;
  }
  if (checksum === undefined) return;
  if (adds) {
    const added = Buffer.alloc(4);
    added.writeUInt32LE(checksum);
    yield added;
  } else if (littleEndian(await readRange(disk, at + length - 4, 4), 0, 4) !== checksum) {
    throw new FormatError(`the frame at byte ${at} and the seek table have different checksums`);
  }
}
