// Where the torrent comes from: a file, its bytes, a magnet link or an info hash.

import { open } from "node:fs/promises";
import { DiskError } from "diskwright";
import { FormatError } from "./metainfo/bencode.ts";
import { isInfoHash, isMagnet, parseMagnet } from "./metainfo/magnet.ts";
import { LARGEST_METAINFO, type Metainfo, parseMetainfo } from "./metainfo/metainfo.ts";

/** Which torrent. */
export interface Found {
  readonly infoHash: string;
  readonly trackers: readonly string[];
  readonly webSeeds: readonly string[];
  readonly peers: readonly string[];
  /** The torrent file; absent where peers have to be asked for what it says. */
  readonly metainfo?: Uint8Array;
}

/**
 * Finds out which torrent is meant.
 *
 * @throws DiskError when there is no such file or it is no torrent
 */
export async function find(source: string | Uint8Array): Promise<Found> {
  if (typeof source === "string" && (isMagnet(source) || isInfoHash(source))) return parseMagnet(source);
  // What is shared with a thread is to be bytes of its own.
  const metainfo = typeof source === "string" ? await readTorrentFile(source) : Uint8Array.from(source);
  const { infoHash, trackers, webSeeds } = readMetainfo(metainfo);
  return { infoHash, trackers, webSeeds, peers: [], metainfo };
}

/**
 * Reads a torrent file.
 *
 * @throws DiskError EINVAL that says what is wrong with it
 */
export function readMetainfo(bytes: Uint8Array): Metainfo {
  try {
    return parseMetainfo(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new DiskError("EINVAL", `the torrent file cannot be read: ${error.message}`, { cause: error });
  }
}

/** Checks at once what can be checked without reading anything. */
export function checkSource(source: unknown): asserts source is string | Uint8Array {
  if (source instanceof Uint8Array) return;
  if (typeof source !== "string" || source === "") {
    throw new DiskError("EINVAL", `torrent(): ${String(source)} is neither a torrent file, a magnet link nor an info hash`);
  }
  if (isMagnet(source)) parseMagnet(source);
  if (/^https?:/i.test(source)) {
    throw new DiskError("EINVAL", `torrent(): ${source} is an address: download the torrent file, and give its path or its bytes`);
  }
}

async function readTorrentFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > LARGEST_METAINFO) {
      throw new DiskError("EINVAL", `the torrent file ${path} has ${size} bytes, more than are read (${LARGEST_METAINFO})`);
    }
    return await file.readFile();
  } catch (error) {
    if (DiskError.is(error)) throw error;
    const { code = "EIO", message } = error as NodeJS.ErrnoException;
    throw new DiskError(code, `the torrent file ${path} cannot be read: ${message}`, { cause: error });
  }
}
