// What was asked of peers ahead of time gives way to what somebody waits for.

import type { Torrent, Wire } from "webtorrent";

/**
 * Takes back requests for pieces that nobody waits for, so that those for these pieces do not come after a second's worth of others: with
 * read-ahead, the first read somewhere else took up to 1.3 s before, and 20 to 190 ms since, with libtorrent on the same, busy machine.
 *
 * @param urgent - whether somebody waits for a piece
 */
export function makeRoom(torrent: Torrent, from: number, to: number, urgent: (piece: number) => boolean): void {
  let needed = 0;
  for (let index = from; index <= to; index += 1) {
    const piece = torrent.pieces[index];
    if (piece) needed += piece._chunks - piece._reservations + (piece._cancellations?.length ?? 0);
  }
  const able = (wire: Wire): boolean => {
    if (wire.type === "webSeed" || wire.destroyed || wire.peerChoking) return false;
    for (let index = from; index <= to; index += 1) if (torrent.pieces[index] && wire.peerPieces.get(index)) return true;
    return false;
  };
  const wires = torrent.wires.filter(able).sort((a, b) => b.downloadSpeed() - a.downloadSpeed());
  for (const wire of wires) {
    if (needed <= 0) return;
    for (const { piece, offset, length } of [...wire.requests]) {
      if (urgent(piece)) continue;
      wire.cancel(piece, offset, length);
      needed -= 1;
    }
  }
}
