// One object as a read-only disk.

import type { Awaitable, Connection } from "diskwright";
import { each } from "../each.ts";
import type { Settings } from "../options.ts";
import type { Bucket, ObjectFacts } from "../service/bucket.ts";
import { Pieces } from "./pieces.ts";

/** After so many reads that each went on where the one before ended, the client is taken to read in sequence. */
const STREAK = 2;

/** Opens the object: its size and its ETag are asked for once, and hold for as long as the disk is open. */
export async function openObject(bucket: Bucket, settings: Settings, signal: AbortSignal): Promise<Connection> {
  const facts = await bucket.head(settings.key, signal);
  return connectionTo(bucket, settings, facts, signal);
}

function connectionTo(bucket: Bucket, settings: Settings, facts: ObjectFacts, signal: AbortSignal): Connection {
  const { key, partSize, readAhead, concurrency } = settings;
  const size = Number(facts.size);
  const fetch = async (target: Uint8Array, offset: number): Promise<void> => {
    // An object that was there when it was opened, and is not any more, is as much an error as one that was replaced.
    if (!(await bucket.read(key, target, BigInt(offset), facts, signal))) throw bucket.missing(key);
  };
  const pieceLength = Math.max(1, Math.min(partSize, readAhead));
  const pieces = new Pieces(size, pieceLength, Math.ceil(readAhead / pieceLength) + 2, fetch);
  let next = 0;
  let streak = 0;

  /** Notes what is read, and fetches what will probably be read next. */
  const follow = (offset: number, length: number): void => {
    streak = offset === next ? streak + 1 : 0;
    next = offset + length;
    if (readAhead === 0 || streak < STREAK) return;
    const end = Math.min(size, next + readAhead);
    for (let number = Math.floor(offset / pieceLength); number * pieceLength < end; number += 1) pieces.begin(number);
  };

  /** Copies what has arrived; false when some of it has not. */
  const copy = (target: Uint8Array, offset: number): boolean => {
    for (let done = 0; done < target.length; ) {
      const number = Math.floor((offset + done) / pieceLength);
      const bytes = pieces.arrived(number);
      if (bytes === undefined) return false;
      const from = offset + done - number * pieceLength;
      const part = bytes.subarray(from, from + target.length - done);
      target.set(part, done);
      done += part.length;
    }
    return true;
  };

  const readLater = (target: Uint8Array, offset: number): Promise<void> =>
    each(parts(offset, target.length, pieces, partSize), concurrency, async ({ at, length, piece }) => {
      const part = target.subarray(at - offset, at - offset + length);
      const ahead = piece === undefined ? undefined : pieces.get(piece);
      if (ahead === undefined || piece === undefined) return fetch(part, at);
      const from = at - piece * pieceLength;
      part.set((await ahead).subarray(from, from + length));
    });

  return {
    size: facts.size,
    description: bucket.nameOf(key),
    traits: { multiConn: true },
    read(target, offset): Awaitable<void> {
      const at = Number(offset);
      follow(at, target.length);
      return copy(target, at) ? undefined : readLater(target, at);
    },
    ...(readAhead > 0 && {
      async cache(offset: bigint, length: bigint): Promise<void> {
        const first = Math.floor(Number(offset) / pieceLength);
        const end = Math.min(Number(offset + length), Number(offset) + readAhead);
        const waiting: Promise<unknown>[] = [];
        for (let number = first; number * pieceLength < end; number += 1) {
          pieces.begin(number);
          waiting.push(pieces.get(number) as Promise<unknown>);
        }
        await Promise.all(waiting);
      },
    }),
  };
}

interface Part {
  readonly at: number;
  readonly length: number;
  /** The number of the piece that it is in, where that was begun. */
  readonly piece: number | undefined;
}

/** What a read is made of: parts of pieces that are there or on their way, and between them parts to be fetched. */
function parts(offset: number, length: number, pieces: Pieces, partSize: number): Part[] {
  const found: Part[] = [];
  const end = offset + length;
  for (let at = offset; at < end; ) {
    const number = Math.floor(at / pieces.length);
    if (pieces.has(number)) {
      const until = Math.min(end, (number + 1) * pieces.length);
      found.push({ at, length: until - at, piece: number });
      at = until;
      continue;
    }
    let until = at;
    for (let n = number; until < end && until - at < partSize && !pieces.has(n); n += 1)
      until = Math.min(end, at + partSize, (n + 1) * pieces.length);
    found.push({ at, length: until - at, piece: undefined });
    at = until;
  }
  return found;
}
