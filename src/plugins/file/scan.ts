// The zeroes of a file, found by reading: for systems that are not asked where the holes are.

import { fstat } from "node:fs";
import { type Listing, MOST_LISTED } from "./extents.ts";
import type { OpenFile } from "./open.ts";
import { readInto } from "./read.ts";

/** Holes are looked for in pieces of this size, */
const PIECE = 4096;
/** so much is read at once, */
const WINDOW = 1024 * 1024;
/** and so much for one answer; whoever wants more asks again. */
const MOST_READ = 32n * 1024n * 1024n;

/**
 * Lists parts of a file that read as zeroes. Nothing is read of a file that takes as much room as it is long: it can have no holes. Whether
 * zeroes take room cannot be seen, so they are not called holes.
 */
export function scanning({ fd }: OpenFile): Listing {
  return async (offset, length, { reqOne }) => {
    if (!(await mayHaveHoles(fd))) return [];
    const end = length > MOST_READ ? offset + MOST_READ : offset + length;
    const buffer = Buffer.allocUnsafe(Number(end - offset < BigInt(WINDOW) ? end - offset : BigInt(WINDOW)));
    const list: { offset: bigint; length: bigint; zero: boolean }[] = [];
    for (let at = offset; at < end; ) {
      const wanted = Number(end - at < BigInt(buffer.length) ? end - at : BigInt(buffer.length));
      const count = await readInto(fd, buffer.subarray(0, wanted), 0, at);
      // A file that has become shorter: reading will say so.
      if (count === 0) break;
      for (let from = 0; from < count; ) {
        // Pieces are those of the file, wherever the range begins.
        const to = Math.min(count, from + PIECE - (Number(at + BigInt(from)) % PIECE));
        const zero = isZero(buffer.subarray(from, to));
        const last = list.at(-1);
        if (last?.zero === zero) last.length += BigInt(to - from);
        else if (last !== undefined && (reqOne || list.length === MOST_LISTED)) return list;
        else list.push({ offset: at + BigInt(from), length: BigInt(to - from), zero });
        from = to;
      }
      at += BigInt(count);
    }
    return list;
  };
}

const zeroes = Buffer.alloc(PIECE);

function isZero(bytes: Buffer): boolean {
  return zeroes.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}

function mayHaveHoles(fd: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, about) => {
      if (error === null) resolve(about.blocks * 512n < about.size);
      else reject(error);
    });
  });
}
