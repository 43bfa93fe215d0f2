// Where pieces are kept: in the files of the torrent, as other BitTorrent clients have them too.

import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ChunkStore, Done } from "webtorrent";
import type { Metainfo, TorrentFile } from "../metainfo/metainfo.ts";

/** The path of a torrent's file. */
export function pathOf(folder: string, metainfo: Pick<Metainfo, "name" | "folder">, file: TorrentFile): string {
  return metainfo.folder ? join(folder, metainfo.name, ...file.path.split("/")) : join(folder, metainfo.name);
}

/** Reads and writes pieces. Files are sparse; those of which nothing is wanted are not made. */
export class PieceFiles implements ChunkStore {
  readonly #folder: string;
  readonly #metainfo: Metainfo;
  /** Files that hold something, in the order of their offsets. */
  readonly #files: readonly TorrentFile[];
  readonly #underWay = new Set<Promise<void>>();

  constructor(folder: string, metainfo: Metainfo) {
    this.#folder = folder;
    this.#metainfo = metainfo;
    this.#files = metainfo.files.filter(({ length }) => length > 0);
  }

  put(index: number, bytes: Uint8Array, done: Done): void {
    this.#settle(
      this.#each(index, 0, bytes.length, async (file, at, from, to) => {
        if (file.padding) return;
        const path = pathOf(this.#folder, this.#metainfo, file);
        const part = bytes.subarray(from, to);
        await using handle = await openToWrite(path);
        await handle.write(part, 0, part.length, at);
      }),
      done,
    );
  }

  get(index: number, options: { readonly offset?: number; readonly length?: number } | undefined | null, done: Done): void {
    const { pieceLength, length, pieceCount } = this.#metainfo;
    const offset = options?.offset ?? 0;
    const end = options?.length === undefined ? Math.min(pieceLength, length - index * pieceLength) : offset + options.length;
    if (!(index >= 0 && index < pieceCount && offset >= 0 && offset < end && index * pieceLength + end <= length && end <= pieceLength)) {
      queueMicrotask(() => done(new Error(`there are no bytes ${offset} to ${end} of piece ${index}`)));
      return;
    }
    const bytes = Buffer.alloc(end - offset);
    this.#settle(
      this.#each(index, offset, bytes.length, async (file, at, from, to) => {
        if (file.padding) return;
        await using handle = await open(pathOf(this.#folder, this.#metainfo, file), "r");
        const { bytesRead } = await handle.read(bytes, from, to - from, at);
        if (bytesRead < to - from) throw new Error(`${file.path} ends before byte ${at + to - from}`);
      }),
      done,
      bytes,
    );
  }

  close(done: Done): void {
    void Promise.all(this.#underWay).then(() => done(null));
  }

  destroy(done: Done): void {
    this.close(done);
  }

  #settle(work: Promise<void>, done: Done, bytes?: Uint8Array): void {
    // Called in a turn of its own: what `done` throws is not an error of the files.
    const settled = work.then(
      () => setImmediate(done, null, bytes),
      (error: Error) => setImmediate(done, error),
    );
    const ended = settled.then(() => void this.#underWay.delete(ended));
    this.#underWay.add(ended);
  }

  /** Calls `step` for each file that a part of a piece lies in: where in the file, and which bytes of the part. */
  async #each(
    index: number,
    offset: number,
    length: number,
    step: (file: TorrentFile, at: number, from: number, to: number) => Promise<void>,
  ): Promise<void> {
    const start = index * this.#metainfo.pieceLength + offset;
    const end = start + length;
    for (let number = this.#find(start); number < this.#files.length; number += 1) {
      const file = this.#files[number] as TorrentFile;
      if (file.offset >= end) break;
      const from = Math.max(start, file.offset);
      const to = Math.min(end, file.offset + file.length);
      await step(file, from - file.offset, from - start, to - start);
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
}

async function openToWrite(path: string): ReturnType<typeof open> {
  try {
    return await open(path, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await mkdir(dirname(path), { recursive: true });
  // Two pieces of the file may arrive here at once: neither is to empty it.
  return open(path, "a").then(async (made) => {
    await made.close();
    return open(path, "r+");
  });
}
