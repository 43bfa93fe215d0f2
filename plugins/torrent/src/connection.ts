// A client's view of the file: reads wait for their pieces, and what lies behind them is downloaded next.

import type { Awaitable, BlockSize, Connection } from "diskwright";
import type { Served, Session } from "./session.ts";

/** A preferred size beyond this would be more than clients ask for at once. */
const LARGEST_PREFERRED = 32 * 1024 * 1024;

/**
 * Opens the file for a client.
 *
 * @param readAhead - bytes behind each read that are downloaded too
 */
export function connectionTo(session: Session, served: Served, readAhead: number, signal: AbortSignal): Connection {
  const { swarm } = session;
  const { metainfo, file, lastPiece } = served;
  const pieceAt = (offset: number): number => Math.floor((file.offset + offset) / metainfo.pieceLength);
  const aheadPieces = Math.ceil(readAhead / metainfo.pieceLength);
  const hints = new Set<number>();
  let ahead: number | undefined;
  let aheadOf = -1;

  /** What lies behind the latest read, in place of what lay behind the one before. */
  const goAhead = (piece: number): void => {
    if (piece === aheadOf) return;
    aheadOf = piece;
    const last = Math.min(lastPiece, piece + aheadPieces);
    const before = ahead;
    ahead = piece >= last || swarm.has(piece + 1, last) ? undefined : swarm.select(piece + 1, last, false);
    if (before !== undefined) swarm.deselect(before);
  };

  return {
    size: BigInt(file.length),
    blockSize: blockSizeOf(metainfo.pieceLength),
    description: file.path === metainfo.name ? `torrent ${metainfo.infoHash}` : `${file.path} of torrent ${metainfo.infoHash}`,
    traits: { multiConn: true },
    read(target, offset): Awaitable<void> {
      const start = Number(offset);
      const from = pieceAt(start);
      const to = pieceAt(start + target.length - 1);
      const there = swarm.has(from, to);
      // What is asked for goes first: the order of these two matters to the client.
      const arriving = there ? undefined : swarm.need(from, to, signal);
      goAhead(to);
      return arriving === undefined ? session.read(target, start) : arriving.then(() => session.read(target, start));
    },
    cache(offset, length) {
      const start = Number(offset);
      const from = pieceAt(start);
      const to = pieceAt(start + Number(length) - 1);
      if (!swarm.has(from, to)) hints.add(swarm.select(from, to, false));
    },
    close() {
      if (ahead !== undefined) swarm.deselect(ahead);
      for (const hint of hints) swarm.deselect(hint);
    },
  };
}

function blockSizeOf(pieceLength: number): BlockSize {
  const preferred = Math.min(LARGEST_PREFERRED, 2 ** Math.floor(Math.log2(Math.max(512, pieceLength))));
  return { minimum: 1, preferred, maximum: 0xffffffff };
}
