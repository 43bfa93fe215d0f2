// Which pieces are in the folder already: those whose hashes are right.

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Metainfo } from "../metainfo/metainfo.ts";
import { type PieceFiles, pathOf } from "./piece-files.ts";

/**
 * Verifies what is in a folder. Files that are not there, or hold nothing, are not looked at: a new folder takes no time.
 *
 * @param found - called for each piece that is right
 * @param stopped - asked now and then whether to go on
 * @returns one bit for each piece, the first in the highest bit of the first byte
 */
export async function verify(
  folder: string,
  metainfo: Metainfo,
  files: PieceFiles,
  found: (piece: number) => void,
  stopped: () => boolean,
): Promise<Uint8Array> {
  const { pieceCount, hashes } = metainfo;
  const bits = new Uint8Array(Math.ceil(pieceCount / 8));
  const maybe = await piecesToLookAt(folder, metainfo);
  for (let piece = 0; piece < pieceCount && !stopped(); piece += 1) {
    if (maybe[piece] !== 1) continue;
    // Others get their turn.
    await new Promise((resolve) => setImmediate(resolve));
    const bytes = await new Promise<Uint8Array | undefined>((resolve) => files.get(piece, undefined, (_, read) => resolve(read)));
    if (bytes === undefined) continue;
    const hash = createHash("sha1").update(bytes).digest();
    if (!hash.equals(hashes.subarray(piece * 20, piece * 20 + 20))) continue;
    bits[piece >> 3] = (bits[piece >> 3] as number) | (0x80 >> (piece & 7));
    found(piece);
  }
  return bits;
}

/** The pieces of which no part is known to be missing. */
async function piecesToLookAt(folder: string, metainfo: Metainfo): Promise<Uint8Array> {
  const { pieceCount, pieceLength, files } = metainfo;
  const maybe = new Uint8Array(pieceCount).fill(1);
  for (const file of files) {
    if (file.padding || file.length === 0) continue;
    const there = await stat(pathOf(folder, metainfo, file)).then(
      ({ size, blocks }) => (blocks === 0 ? 0 : Math.min(size, file.length)),
      () => 0,
    );
    if (there === file.length) continue;
    // A piece that needs a byte after the file's end cannot be right.
    const first = Math.floor((file.offset + there) / pieceLength);
    const last = Math.floor((file.offset + file.length - 1) / pieceLength);
    maybe.fill(0, first, last + 1);
  }
  return maybe;
}
