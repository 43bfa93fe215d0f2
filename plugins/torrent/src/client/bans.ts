// Peers that send pieces which are not what they should be: webtorrent asks them again and again, so they are sent away.

import type WebTorrent from "webtorrent";
import type { Torrent, Wire } from "webtorrent";

/** So many damaged pieces are forgiven to one who had only a part in them, unless more were good. */
const FORGIVEN = 3;

interface Record {
  good: number;
  bad: number;
}

/**
 * Watches who sends what. A peer that sent all of a damaged piece is sent away, with its address; one that had a part in several, and in no
 * more good ones, too.
 */
export function banCorrupt(client: WebTorrent, torrent: Torrent, banned: (who: string, piece: number) => void): void {
  const senders = new Map<number, Set<Wire>>();
  const records = new Map<string, Record>();
  const addresses = new Set<string>();
  client.blocked = { contains: (host) => addresses.has(host) };

  const ban = (wire: Wire, piece: number): void => {
    const address = addressOf(wire);
    banned(address ?? "a web seed", piece);
    if (address !== undefined) addresses.add(address);
    for (const other of [...torrent.wires]) if (other === wire || (address !== undefined && addressOf(other) === address)) other.destroy();
  };

  torrent.on("wire", (wire: Wire) => {
    const address = addressOf(wire);
    if (address !== undefined && addresses.has(address)) {
      // Not in the middle of its handshake.
      setImmediate(() => wire.destroy());
      return;
    }
    wire.on("piece", (index: number) => {
      if (!torrent.pieces[index]) return;
      const wires = senders.get(index);
      if (wires === undefined) senders.set(index, new Set([wire]));
      else wires.add(wire);
    });
  });
  torrent.on("verified", (piece: number) => {
    for (const wire of senders.get(piece) ?? []) recordOf(records, wire).good += 1;
    senders.delete(piece);
  });
  torrent.on("warning", (warning: Error) => {
    const piece = Number(/^Piece (\d+) failed verification$/.exec(warning.message)?.[1] ?? -1);
    const wires = [...(senders.get(piece) ?? [])];
    senders.delete(piece);
    for (const wire of wires) {
      const record = recordOf(records, wire);
      record.bad += 1;
      if (wires.length === 1 || record.bad > Math.max(FORGIVEN, record.good)) ban(wire, piece);
    }
  });
}

function addressOf(wire: Wire): string | undefined {
  return wire.type === "webSeed" ? undefined : wire.remoteAddress;
}

function recordOf(records: Map<string, Record>, wire: Wire): Record {
  const key = addressOf(wire) ?? "";
  const record = records.get(key) ?? { good: 0, bad: 0 };
  records.set(key, record);
  return record;
}
