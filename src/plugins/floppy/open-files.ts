// The files that are being read: a few stay open, as most reads follow on the one before.

import { type FileHandle, open } from "node:fs/promises";
import { errorCode, errorText } from "../../contract/error.ts";
import type { Node } from "./scan.ts";

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  /** Reads that are under way. */
  users: number;
}

/** So many files stay open between reads. */
const MOST = 16;

/** Reads files by path, and finds out when they are no longer what they were. */
export class OpenFiles {
  /** In the order of their last use. */
  readonly #files: Map<Node, OpenFile> = new Map();

  /**
   * Fills `target` with what a file has at `position`.
   *
   * @throws Error with code EIO when the file has changed since the disk was made, or cannot be read
   */
  async read(node: Node, target: Uint8Array, position: number): Promise<void> {
    const file = this.#use(node);
    try {
      const handle = await file.handle;
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) throw changed(node);
        done += bytesRead;
      }
    } catch (error) {
      // Perhaps it can be opened the next time.
      if (this.#files.get(node) === file) this.#files.delete(node);
      file.users -= 1;
      this.#closeUnused(file, node);
      throw error;
    }
    file.users -= 1;
    this.#closeUnused(file, node);
    this.#shrink();
  }

  /** Closes all of them. No read is under way any more. */
  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const { handle } of files) await (await handle.catch(() => undefined))?.close();
  }

  #use(node: Node): OpenFile {
    const file = this.#files.get(node) ?? { handle: openUnchanged(node), users: 0 };
    this.#files.delete(node);
    this.#files.set(node, file);
    file.users += 1;
    return file;
  }

  /** Closes a file that is not kept once its last read is over. */
  #closeUnused(file: OpenFile, node: Node): void {
    if (file.users > 0 || this.#files.get(node) === file) return;
    // Nothing was written to it: closing it can lose nothing.
    file.handle.then((handle) => handle.close()).catch(() => undefined);
  }

  #shrink(): void {
    for (const [node, file] of this.#files) {
      if (this.#files.size <= MOST) return;
      if (file.users > 0) continue;
      this.#files.delete(node);
      this.#closeUnused(file, node);
    }
  }
}

async function openUnchanged(node: Node): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(node.path, "r");
  } catch (error) {
    throw failed(`${node.path} cannot be opened any more: ${errorText(error)}`, errorCode(error));
  }
  const { size, mtime } = await handle.stat();
  if (size === node.size && mtime.getTime() === node.mtime.getTime()) return handle;
  await handle.close();
  throw changed(node);
}

function changed({ path }: Node): Error {
  return failed(`${path} has changed since the disk was made of it: serve the folder anew`, "EIO");
}

/** No DiskError: the paths of the server's files are not a client's business. */
function failed(text: string, code: string): Error {
  return Object.assign(new Error(text), { code: code === "ENOENT" ? "EIO" : code });
}
