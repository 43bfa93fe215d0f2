// The content of a file as one client reads it: pieces that were decompressed lately, and the places in large frames from which decompressing can go on.

import { setImmediate } from "node:timers/promises";
import { DiskError } from "diskwright";
import { LRUCache } from "lru-cache";
import { FormatError } from "./frames/format-error.ts";
import type { Frame, Frames } from "./frames/frames.ts";
import { type Unpacking, unpack } from "./frames/unpack.ts";

/** Bytes of the pieces that are kept: each belongs to one frame, and begins at a multiple of this in it. */
const PIECE = 256 * 1024;
/** Places in large frames that are kept. */
const CURSORS = 4;

/** Where decompressing a frame has come to. */
interface Cursor {
  readonly frame: number;
  readonly pieces: AsyncGenerator<Uint8Array>;
  /** The number of the piece that comes next. */
  next: number;
  /** Settles when nobody is using it. */
  turn: Promise<unknown>;
}

/** What a content may use. */
export interface ContentLimits {
  /** Bytes of the pieces that are kept. */
  readonly memory: number;
}

export class Content {
  readonly #frames: Frames;
  readonly #unpacking: Unpacking;
  readonly #kept: LRUCache<number, Uint8Array>;
  /** Frames of up to so many bytes are decompressed whole, and their checksums verified, before anything of them is given out. */
  readonly #whole: number;
  readonly #making: Map<number, Promise<void>> = new Map();
  /** The one that was used last comes last. */
  #cursors: Cursor[] = [];

  constructor(frames: Frames, unpacking: Unpacking, { memory }: ContentLimits) {
    this.#frames = frames;
    this.#unpacking = unpacking;
    this.#kept = new LRUCache({ maxSize: Math.max(memory, PIECE), sizeCalculation: (piece) => piece.length });
    this.#whole = Math.floor(memory / 4);
  }

  /** What is at hand of a range, if all of it is. */
  kept(offset: number, length: number): Uint8Array[] | undefined {
    const found: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const { frame, number } = this.#place(offset + done);
      const start = frame.start + number * PIECE;
      const piece = this.#kept.get(start);
      if (piece === undefined) return undefined;
      const part = piece.subarray(offset + done - start, offset + length - start);
      found.push(part);
      done += part.length;
    }
    return found;
  }

  /** Fills `target` with the content at `offset`. */
  async read(target: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const { index, frame, number } = this.#place(offset + done);
      const start = frame.start + number * PIECE;
      const piece = await this.#piece(index, frame, number);
      const part = piece.subarray(offset + done - start, offset + target.length - start);
      target.set(part, done);
      done += part.length;
    }
  }

  async close(): Promise<void> {
    const cursors = this.#cursors;
    this.#cursors = [];
    await Promise.all(cursors.map((cursor) => end(cursor)));
  }

  #place(offset: number): { readonly index: number; readonly frame: Frame; readonly number: number } {
    const index = this.#frames.find(offset);
    const frame = this.#frames.frame(index);
    return { index, frame, number: Math.floor((offset - frame.start) / PIECE) };
  }

  async #piece(index: number, frame: Frame, number: number): Promise<Uint8Array> {
    for (;;) {
      const kept = this.#kept.get(frame.start + number * PIECE);
      if (kept !== undefined) return kept;
      if (frame.size > this.#whole) return await this.#goOn(index, frame, number);
      await this.#makeWhole(index, frame);
    }
  }

  /** Decompresses a frame and keeps all of it, once for all who wait for it. */
  async #makeWhole(index: number, frame: Frame): Promise<void> {
    const making = this.#making.get(index) ?? this.#startWhole(index, frame);
    await making;
  }

  #startWhole(index: number, frame: Frame): Promise<void> {
    const make = async (): Promise<void> => {
      const made: Uint8Array[] = [];
      for await (const piece of this.#pieces(frame)) made.push(piece);
      for (const [number, piece] of made.entries()) this.#kept.set(frame.start + number * PIECE, piece);
    };
    const making = make().finally(() => this.#making.delete(index));
    this.#making.set(index, making);
    return making;
  }

  /** Decompresses a large frame on to a piece, from the nearest place before it that is known. */
  async #goOn(index: number, frame: Frame, number: number): Promise<Uint8Array> {
    const before = this.#cursors.filter((cursor) => cursor.frame === index && cursor.next <= number);
    const cursor = before.sort((a, b) => a.next - b.next).at(-1) ?? this.#start(index, frame);
    this.#cursors = [...this.#cursors.filter((other) => other !== cursor), cursor];
    const mine = cursor.turn.then(() => this.#advance(cursor, frame, number));
    cursor.turn = mine.catch(() => undefined);
    const piece = await mine;
    // Somebody else has been past it, and it is not kept any more: once more, from another place.
    return piece ?? (await this.#piece(index, frame, number));
  }

  #start(index: number, frame: Frame): Cursor {
    const cursor: Cursor = { frame: index, pieces: this.#pieces(frame), next: 0, turn: Promise.resolve() };
    const [oldest] = this.#cursors.length >= CURSORS ? this.#cursors.splice(0, 1) : [];
    if (oldest !== undefined) void end(oldest);
    return cursor;
  }

  async #advance(cursor: Cursor, frame: Frame, number: number): Promise<Uint8Array | undefined> {
    try {
      while (cursor.next <= number) {
        const { value, done } = await cursor.pieces.next();
        if (done === true) break;
        this.#kept.set(frame.start + cursor.next * PIECE, value);
        cursor.next += 1;
        if (cursor.next > number) {
          // At its end a frame is checked: the last piece is only given out after that.
          if ((number + 1) * PIECE >= frame.size) await cursor.pieces.next();
          return value;
        }
      }
    } catch (error) {
      this.#kept.delete(frame.start + number * PIECE);
      this.#forget(cursor);
      throw error;
    }
    if (cursor.next * PIECE >= frame.size) this.#forget(cursor);
    return this.#kept.get(frame.start + number * PIECE);
  }

  #forget(cursor: Cursor): void {
    this.#cursors = this.#cursors.filter((other) => other !== cursor);
  }

  /** The pieces of a frame, which must come to just what it is to hold. */
  async *#pieces(frame: Frame): AsyncGenerator<Uint8Array> {
    let left = frame.size;
    let piece = new Uint8Array(Math.min(PIECE, left));
    let filled = 0;
    try {
      for await (const bytes of unpack(frame, this.#unpacking)) {
        if (bytes.length > left)
          throw new FormatError(`the frame at byte ${frame.at} holds more than the ${frame.size} bytes that it is to hold`);
        left -= bytes.length;
        for (let at = 0; at < bytes.length; ) {
          const part = bytes.subarray(at, at + piece.length - filled);
          piece.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled < piece.length) break;
          yield piece;
          piece = new Uint8Array(Math.min(PIECE, left + bytes.length - at));
          filled = 0;
          // Decompressing is quick, but frames may be long: others get their turn.
          await setImmediate();
        }
      }
    } catch (error) {
      throw damaged(error, frame);
    }
    if (left > 0)
      throw damaged(
        new FormatError(`the frame at byte ${frame.at} holds ${left} bytes less than the ${frame.size} that it is to hold`),
        frame,
      );
  }
}

/** Ends a cursor once nobody is using it. */
async function end(cursor: Cursor): Promise<void> {
  await cursor.turn;
  // It is let go: what it might still find wrong nobody will read.
  await cursor.pieces.return(undefined).catch(() => undefined);
}

function damaged(error: unknown, frame: Frame): unknown {
  if (!(error instanceof FormatError)) return error;
  return new DiskError("EIO", `the zstd file is damaged: ${error.message}`, { offset: BigInt(frame.start), cause: error });
}
