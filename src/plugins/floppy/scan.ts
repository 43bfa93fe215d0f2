// What is in the folder that a floppy disk is made of.

import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { DiskError, errorCode } from "../../contract/error.ts";

/** A file or folder that goes onto the disk. */
export interface Node {
  readonly name: string;
  readonly path: string;
  /** When it was changed last. */
  readonly mtime: Date;
  /** Bytes of a file; 0 of a folder. */
  readonly size: number;
  /** What is in a folder, in the order of names; `undefined` for a file. */
  readonly children: readonly Node[] | undefined;
}

/** FAT keeps a file's size in 32 bits. */
const LARGEST_FILE = 2 ** 32 - 1;
/** Deeper than any path that a system can open. */
const DEEPEST = 1000;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a folder with all that is in it. What is neither file nor folder, as links and sockets, is left out.
 *
 * @throws DiskError naming the path when something cannot be read or cannot be kept by FAT
 */
export async function scan(folder: string, signal: AbortSignal): Promise<Node> {
  const { mtime } = await stat(folder);
  return { name: "", path: folder, mtime, size: 0, children: await scanFolder(folder, signal, 0) };
}

async function scanFolder(folder: string, signal: AbortSignal, depth: number): Promise<Node[]> {
  if (depth > DEEPEST) throw new DiskError("ENAMETOOLONG", `${folder}: folders lie deeper in each other than ${DEEPEST}`);
  const nodes: Node[] = [];
  for (const name of await namesIn(folder)) {
    signal.throwIfAborted();
    const path = join(folder, name);
    const found = await stat(path);
    const { mtime } = found;
    if (found.isDirectory()) nodes.push({ name, path, mtime, size: 0, children: await scanFolder(path, signal, depth + 1) });
    else if (found.isFile()) nodes.push({ name, path, mtime, size: checkSize(found.size, path), children: undefined });
  }
  return nodes;
}

async function namesIn(folder: string): Promise<string[]> {
  let names: Buffer[];
  try {
    names = await readdir(folder, { encoding: "buffer" });
  } catch (error) {
    throw unreadable(folder, error);
  }
  return names.map((name) => decode(name, folder)).sort();
}

function decode(name: Buffer, folder: string): string {
  try {
    return utf8.decode(name);
  } catch {
    throw new DiskError(
      "EILSEQ",
      `${folder} has a name that is not UTF-8, which FAT cannot keep: ${JSON.stringify(name.toString("latin1"))}`,
    );
  }
}

async function stat(path: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function checkSize(size: number, path: string): number {
  if (size <= LARGEST_FILE) return size;
  throw new DiskError("EFBIG", `${path} has ${size} bytes: a file on a FAT disk has at most ${LARGEST_FILE}`);
}

function unreadable(path: string, error: unknown): DiskError {
  const code = errorCode(error);
  return new DiskError(code, `${path} cannot be read: ${code}`, { cause: error });
}
