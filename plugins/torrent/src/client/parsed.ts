// What a torrent file says in the form in which webtorrent has it.

import type { Parsed } from "webtorrent";
import { toPlain } from "../metainfo/bencode.ts";
import type { Metainfo } from "../metainfo/metainfo.ts";

/** All but where peers are found. */
export function toParsed(metainfo: Metainfo): Omit<Parsed, "infoHash" | "announce" | "urlList"> {
  const { name, folder, files, length, pieceLength, pieceCount, hashes } = metainfo;
  const hex = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.length).toString("hex");
  return {
    name,
    info: toPlain(metainfo.info),
    private: metainfo.private,
    files: files.map((file) => ({
      path: folder ? `${name}/${file.path}` : name,
      name: file.path.slice(file.path.lastIndexOf("/") + 1),
      length: file.length,
      offset: file.offset,
    })),
    length,
    pieceLength,
    lastPieceLength: length % pieceLength || pieceLength,
    pieces: Array.from({ length: pieceCount }, (_, piece) => hex.slice(piece * 40, piece * 40 + 40)),
  };
}
