// Reading and writing more at once than a disk takes: in pieces, as long as it says.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import type { WriteFlags } from "../contract/flags.ts";

/** Fills `target` with the bytes at `offset`, in as few reads as the disk allows. */
export function readPieces(disk: Disk, target: Uint8Array, offset: bigint): Awaitable<void> {
  const most = disk.blockSize?.maximum ?? target.length;
  if (target.length <= most) return disk.read(target, offset);
  return eachPiece(target, most, 0, (piece, at) => disk.read(piece, offset + BigInt(at)));
}

/** Writes `source` at `offset`, in as few writes as the disk allows. */
export function writePieces(disk: Disk, source: Uint8Array, offset: bigint, flags?: WriteFlags): Awaitable<void> {
  const most = disk.blockSize?.maximum ?? source.length;
  if (source.length <= most) return disk.write(source, offset, flags);
  return eachPiece(source, most, 0, (piece, at) => disk.write(piece, offset + BigInt(at), flags));
}

function eachPiece(
  bytes: Uint8Array,
  most: number,
  from: number,
  step: (piece: Uint8Array, at: number) => Awaitable<void>,
): Awaitable<void> {
  for (let at = from; at < bytes.length; at += most) {
    const done = step(bytes.subarray(at, at + most), at);
    if (isPromise(done)) return done.then(() => eachPiece(bytes, most, at + most, step));
  }
  return undefined;
}
