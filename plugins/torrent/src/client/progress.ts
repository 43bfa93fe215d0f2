// Whether anything arrives of what is waited for.

import type { Torrent } from "webtorrent";

/**
 * Counts how often more was there of a wanted piece than ever before. A piece that turns out to be damaged begins anew, and does not count
 * again until it has passed where it was: so nobody can keep readers waiting for ever by sending rubbish.
 */
export class Progress {
  readonly #torrent: Torrent;
  readonly #wanted = new Map<number, { readonly from: number; readonly to: number }>();
  readonly #most = new Map<number, number>();
  #advance = 0;

  constructor(torrent: Torrent) {
    this.#torrent = torrent;
  }

  want(id: number, from: number, to: number): void {
    this.#wanted.set(id, { from, to });
  }

  unwant(id: number): void {
    this.#wanted.delete(id);
    if (this.#wanted.size === 0) this.#most.clear();
  }

  /** Whether somebody waits for a piece. */
  wants(piece: number): boolean {
    for (const { from, to } of this.#wanted.values()) if (piece >= from && piece <= to) return true;
    return false;
  }

  /** Looks at what is there now. Answers with the count. */
  look(): number {
    let more = false;
    for (const { from, to } of this.#wanted.values()) {
      for (let index = from; index <= to; index += 1) {
        const piece = this.#torrent.pieces[index];
        if (!piece) continue;
        const there = piece.length - piece.missing;
        if (there <= (this.#most.get(index) ?? 0)) continue;
        this.#most.set(index, there);
        more = true;
      }
    }
    if (more) this.#advance += 1;
    return this.#advance;
  }
}
