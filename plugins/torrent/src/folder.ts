// The folder in which the files of a torrent are kept: one that stays, or a temporary one.

import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "diskwright";
import { parseMetainfo } from "./metainfo/metainfo.ts";

/** Where files are kept. */
export interface Folder {
  readonly path: string;
  /** What peers told of a torrent in an earlier run. */
  recall(infoHash: string): Promise<Uint8Array | undefined>;
  /** Keeps what peers told of a torrent. */
  remember(infoHash: string, metainfo: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/**
 * Makes the folder, if need be.
 *
 * @param path - where; `undefined`: a temporary folder, which is removed when it is closed or the process ends
 */
export async function openFolder(path: string | undefined): Promise<Folder> {
  return path === undefined ? temporary() : kept(path);
}

async function kept(path: string): Promise<Folder> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const { code = "EIO", message } = error as NodeJS.ErrnoException;
    throw new DiskError(code, `the cache folder ${path} cannot be made: ${message}`, { cause: error });
  }
  const fileOf = (infoHash: string): string => join(path, `${infoHash}.torrent`);
  return {
    path,
    async recall(infoHash) {
      try {
        const bytes = await readFile(fileOf(infoHash));
        return parseMetainfo(bytes).infoHash === infoHash ? bytes : undefined;
      } catch {
        // Not there, or damaged: peers know it too.
        return undefined;
      }
    },
    async remember(infoHash, metainfo) {
      const temporary = `${fileOf(infoHash)}.${process.pid}`;
      await writeFile(temporary, metainfo);
      await rename(temporary, fileOf(infoHash));
    },
    async close() {},
  };
}

async function temporary(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "diskwright-torrent-"));
  const removeNow = (): void => rmSync(path, { recursive: true, force: true });
  process.once("exit", removeNow);
  return {
    path,
    recall: async () => undefined,
    remember: async () => undefined,
    async close() {
      process.off("exit", removeNow);
      await rm(path, { recursive: true, force: true });
    },
  };
}
