// No peer makes us keep more than a message of it.

import type { Torrent, Wire } from "webtorrent";

/** Bytes of the longest message there is, beside a bitfield: a block of 128 KiB, with room to spare. */
const LONGEST = 1024 * 1024;

interface Parsing {
  _parse(length: number, parser: unknown): void;
}

/** Lets peers go that announce messages of more bytes: the library would gather them all. */
export function limitMessages(torrent: Torrent): void {
  torrent.on("wire", (wire: Wire & Parsing) => {
    // A web seed is of our own making, and gives whole pieces.
    if (wire.type === "webSeed") return;
    const parse = wire._parse;
    wire._parse = (length, parser) => {
      // While the torrent is not known, nor is how long a bitfield is.
      if (length > LONGEST + Math.ceil(torrent.pieces.length / 8)) wire.destroy();
      parse.call(wire, length, parser);
    };
  });
}
