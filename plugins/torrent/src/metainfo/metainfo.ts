// What a torrent file says, checked: BEP 3, with the padding files of BEP 47, the web seeds of BEP 19 and the trackers of BEP 12.

import { createHash } from "node:crypto";
import { type Bencoded, type Dictionary, decode, FormatError, isDictionary } from "./bencode.ts";

/** Bytes of the largest torrent file that is read: that of a hundred terabytes in small pieces. */
export const LARGEST_METAINFO: number = 64 * 1024 * 1024;
/** Bytes of the largest piece: pieces are kept in memory while they arrive. */
const LARGEST_PIECE = 256 * 1024 * 1024;
const HASH = 20;

/** A file of a torrent. */
export interface TorrentFile {
  /** Its path within the torrent, with forward slashes. That of a torrent of one file is the torrent's name. */
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  /** Where in the torrent's data it begins. */
  readonly offset: number;
  /** It only fills up a piece: all of it is zeroes. */
  readonly padding: boolean;
}

/** What is known of a torrent. */
export interface Metainfo {
  /** SHA-1 of the info dictionary, in hexadecimal. */
  readonly infoHash: string;
  readonly name: string;
  /** Whether it is a folder of files, rather than one file. */
  readonly folder: boolean;
  readonly files: readonly TorrentFile[];
  /** Bytes of all files together. */
  readonly length: number;
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** SHA-1 of each piece, one after the other. */
  readonly hashes: Uint8Array;
  /** Peers are found by its trackers alone. */
  readonly private: boolean;
  readonly trackers: readonly string[];
  readonly webSeeds: readonly string[];
  readonly info: Dictionary;
  /** The torrent file itself. */
  readonly bytes: Uint8Array;
}

/**
 * Reads a torrent file.
 *
 * @throws FormatError that says what is wrong with it
 */
export function parseMetainfo(bytes: Uint8Array): Metainfo {
  if (bytes.length > LARGEST_METAINFO) throw new FormatError(`it has ${bytes.length} bytes, more than are read (${LARGEST_METAINFO})`);
  if (bytes.length === 0) throw new FormatError("it is empty");
  if (bytes[0] !== 0x64) throw new FormatError("it does not begin as torrent files do");
  const file = decode(bytes);
  const info = isDictionary(file) ? file.entries.get("info") : undefined;
  if (!isDictionary(file) || !isDictionary(info)) throw new FormatError("it has no info dictionary");
  const { entries } = info;
  if (!entries.has("pieces") && entries.get("meta version") === 2) {
    throw new FormatError("it is a version 2 torrent: only version 1, and hybrids of both, can be downloaded");
  }
  const name = toName(text(entries, "name"), "its name");
  const list = entries.get("files");
  const files = list === undefined ? oneFile(name, entries) : manyFiles(list);
  const length = files.reduce((sum, each) => sum + each.length, 0);
  if (!Number.isSafeInteger(length)) throw new FormatError("its files are larger than any disk");
  if (length === 0) throw new FormatError("there is nothing in its files");
  return {
    infoHash: createHash("sha1").update(bytes.subarray(info.start, info.end)).digest("hex"),
    name,
    folder: list !== undefined,
    files,
    length,
    ...pieces(entries, length),
    private: entries.get("private") === 1,
    trackers: strings([file.entries.get("announce"), file.entries.get("announce-list")]),
    webSeeds: strings([file.entries.get("url-list")]),
    info,
    bytes,
  };
}

function pieces(entries: Dictionary["entries"], length: number): Pick<Metainfo, "pieceLength" | "pieceCount" | "hashes"> {
  const pieceLength = entries.get("piece length");
  if (typeof pieceLength !== "number" || pieceLength < 1) throw new FormatError("it does not say how long its pieces are");
  if (pieceLength > LARGEST_PIECE) {
    throw new FormatError(`its pieces have ${pieceLength} bytes: pieces of up to ${LARGEST_PIECE} bytes can be downloaded`);
  }
  const hashes = entries.get("pieces");
  const pieceCount = Math.ceil(length / pieceLength);
  if (!(hashes instanceof Uint8Array)) throw new FormatError("it has no hashes of its pieces");
  if (hashes.length !== pieceCount * HASH) {
    throw new FormatError(`it has ${hashes.length / HASH} hashes of pieces, and its ${length} bytes are ${pieceCount} pieces`);
  }
  return { pieceLength, pieceCount, hashes };
}

function oneFile(name: string, entries: Dictionary["entries"]): TorrentFile[] {
  return [{ path: name, length: fileLength(entries, name), offset: 0, padding: false }];
}

function manyFiles(list: Bencoded): TorrentFile[] {
  if (!Array.isArray(list)) throw new FormatError("its list of files is none");
  const files: TorrentFile[] = [];
  const taken = new Set<string>();
  const folders = new Set<string>();
  let offset = 0;
  for (const [index, file] of (list as readonly Bencoded[]).entries()) {
    if (!isDictionary(file)) throw new FormatError(`its file ${index + 1} is none`);
    const parts = file.entries.get("path.utf-8") ?? file.entries.get("path");
    if (!Array.isArray(parts) || parts.length === 0) throw new FormatError(`its file ${index + 1} has no path`);
    const names = (parts as readonly Bencoded[]).map((part) => toName(toText(part), `the path of its file ${index + 1}`));
    const path = names.join("/");
    const length = fileLength(file.entries, path);
    const padding = toText(file.entries.get("attr"))?.includes("p") === true || names[0] === ".pad";
    // What lies in no file of its own cannot be in the way of another.
    if (!padding && length > 0) {
      for (let depth = 1; depth < names.length; depth += 1) folders.add(names.slice(0, depth).join("/"));
      if (taken.has(path)) throw new FormatError(`two of its files are ${JSON.stringify(path)}`);
      taken.add(path);
    }
    files.push({ path, length, offset, padding });
    offset += length;
  }
  for (const path of taken) if (folders.has(path)) throw new FormatError(`${JSON.stringify(path)} is both a file of it and a folder`);
  return files;
}

function fileLength(entries: Dictionary["entries"], path: string): number {
  const length = entries.get("length");
  if (typeof length === "number" && length >= 0) return length;
  throw new FormatError(`it does not say how long ${JSON.stringify(path)} is`);
}

/** A name that is to be that of a file in the cache folder, and nowhere else. */
function toName(name: string | undefined, what: string): string {
  if (name === undefined || name === "") throw new FormatError(`${what} is missing`);
  if (name === "." || name === ".." || /[/\\\0]/.test(name)) {
    throw new FormatError(`${what} leads out of its folder: ${JSON.stringify(name.slice(0, 100))}`);
  }
  if (Buffer.byteLength(name) > 255) throw new FormatError(`${what} is longer than names of files can be (255 bytes)`);
  return name;
}

function text(entries: Dictionary["entries"], key: string): string | undefined {
  return toText(entries.get(`${key}.utf-8`) ?? entries.get(key));
}

function toText(value: Bencoded | undefined): string | undefined {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined;
}

/** All strings in these values and in the lists that they are. */
function strings(values: readonly (Bencoded | undefined)[]): string[] {
  const found = values.flatMap((value): string[] => {
    if (Array.isArray(value)) return strings(value);
    const string = toText(value);
    return string === undefined || string === "" ? [] : [string];
  });
  return [...new Set(found)];
}
