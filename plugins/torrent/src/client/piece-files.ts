// Where pieces are kept: in the files of the torrent, as other BitTorrent clients have them too.

import { closeSync, constants, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ChunkStore, Done } from "webtorrent";
import type { Metainfo, TorrentFile } from "../metainfo/metainfo.ts";

/** So many files are kept open. */
const OPEN_FILES = 64;

/** The path of a torrent's file. */
export function pathOf(folder: string, metainfo: Pick<Metainfo, "name" | "folder">, file: TorrentFile): string {
  return metainfo.folder ? join(folder, metainfo.name, ...file.path.split("/")) : join(folder, metainfo.name);
}

/**
 * Reads and writes pieces. Files are sparse; those of which nothing is wanted are not made.
 *
 * It works synchronously, as the thread has nothing else to do: with promises a piece that came in the midst of others took 250 ms from
 * its last block until it could be read, on a busy machine. A disk that is too slow makes peers wait, rather than pieces gather in memory.
 */
export class PieceFiles implements ChunkStore {
  readonly #folder: string;
  readonly #metainfo: Metainfo;
  /** Files that hold something, in the order of their offsets. */
  readonly #files: readonly TorrentFile[];
  /** Descriptors of files; the one that was used last is the last. */
  readonly #open = new Map<TorrentFile, number>();

  constructor(folder: string, metainfo: Metainfo) {
    this.#folder = folder;
    this.#metainfo = metainfo;
    this.#files = metainfo.files.filter(({ length }) => length > 0);
  }

  put(index: number, bytes: Uint8Array, done: Done): void {
    attempt(done, () => {
      this.#each(index, 0, bytes.length, (file, at, from, to) => {
        if (file.padding) return;
        const fd = this.#descriptor(file, true);
        for (let start = from; start < to; ) start += writeSync(fd, bytes, start, to - start, at + start - from);
      });
      return undefined;
    });
  }

  get(index: number, options: { readonly offset?: number; readonly length?: number } | undefined | null, done: Done): void {
    const { pieceLength, length, pieceCount } = this.#metainfo;
    const offset = options?.offset ?? 0;
    const end = options?.length === undefined ? Math.min(pieceLength, length - index * pieceLength) : offset + options.length;
    attempt(done, () => {
      if (!(index >= 0 && index < pieceCount && offset >= 0 && offset < end && end <= pieceLength && index * pieceLength + end <= length)) {
        throw new Error(`there are no bytes ${offset} to ${end} of piece ${index}`);
      }
      const bytes = Buffer.alloc(end - offset);
      this.#each(index, offset, bytes.length, (file, at, from, to) => {
        if (file.padding) return;
        const fd = this.#descriptor(file, false);
        for (let start = from; start < to; ) {
          const count = readSync(fd, bytes, start, to - start, at + start - from);
          if (count === 0) throw new Error(`${file.path} ends before byte ${at + to - from}`);
          start += count;
        }
      });
      return bytes;
    });
  }

  close(done: Done): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    queueMicrotask(() => done(null));
  }

  destroy(done: Done): void {
    this.close(done);
  }

  /** Calls `step` for each file that a part of a piece lies in: where in the file, and which bytes of the part. */
  #each(index: number, offset: number, length: number, step: (file: TorrentFile, at: number, from: number, to: number) => void): void {
    const start = index * this.#metainfo.pieceLength + offset;
    const end = start + length;
    for (let number = this.#find(start); number < this.#files.length; number += 1) {
      const file = this.#files[number] as TorrentFile;
      if (file.offset >= end) break;
      const from = Math.max(start, file.offset);
      const to = Math.min(end, file.offset + file.length);
      step(file, from - file.offset, from - start, to - start);
    }
  }

  /** The number of the file that a byte of the torrent lies in. */
  #find(position: number): number {
    let low = 0;
    let high = this.#files.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#files[middle] as TorrentFile).offset <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #descriptor(file: TorrentFile, make: boolean): number {
    const known = this.#open.get(file);
    if (known !== undefined) this.#open.delete(file);
    const fd = known ?? this.#openFile(pathOf(this.#folder, this.#metainfo, file), make);
    this.#open.set(file, fd);
    if (this.#open.size > OPEN_FILES) {
      const [oldest, oldestFd] = this.#open.entries().next().value as [TorrentFile, number];
      this.#open.delete(oldest);
      closeSync(oldestFd);
    }
    return fd;
  }

  #openFile(path: string, make: boolean): number {
    if (!make) return openSync(path, constants.O_RDWR);
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, constants.O_RDWR | constants.O_CREAT);
  }
}

/** Calls back with what `work` gives or throws, in a microtask: what the callback throws is not an error of the files. */
function attempt(done: Done, work: () => Uint8Array | undefined): void {
  let bytes: Uint8Array | undefined;
  try {
    bytes = work();
  } catch (error) {
    queueMicrotask(() => done(error as Error));
    return;
  }
  queueMicrotask(() => done(null, bytes));
}
