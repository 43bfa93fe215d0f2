// Finding an entry in a tar archive: header after header, over what lies between them.

import { readPieces } from "../../common/pieces.ts";
import { isPromise } from "../../contract/awaitable.ts";
import type { Disk } from "../../contract/disk.ts";
import { DiskError } from "../../contract/error.ts";
import { MAX_SIZE } from "../../contract/size.ts";
import { BLOCK, type Header, hasContent, readHeader, readRecords, readText } from "./header.ts";

/** Where an entry's content lies. */
export interface Entry {
  readonly offset: bigint;
  readonly size: bigint;
}

/** Bytes that are read at once: small files lie close together. */
const READ = 64 * 1024;
/** Names and extended headers are not longer than this in any archive that somebody means. */
const MAX_EXTENDED = 1024 * 1024;
/** Names that an error lists. */
const SHOWN = 10;
/** Headers after which others get their turn. */
const TURN = 512;

/** What the headers before an entry's own one say of it. */
interface Said {
  name?: string;
  link?: string;
  records?: Map<string, string>;
}

/**
 * Looks for an entry.
 *
 * @param limit - no header behind this byte is looked at
 * @throws DiskError ENOENT when there is none of that name, EIO when the archive is damaged, EINVAL when the entry is nothing that can be served
 */
export async function findEntry(disk: Disk, wanted: string, limit: bigint, signal: AbortSignal): Promise<Entry> {
  const archive = new Archive(disk);
  const names: string[] = [];
  let global = new Map<string, string>();
  let said: Said = {};
  let count = 0;
  let at = 0n;
  for (let headers = 1; ; headers++) {
    if (at >= limit && at < disk.size)
      throw new DiskError("ENOENT", `tar: there is no entry ${quoted(wanted)} in the first ${limit} bytes of the archive`);
    // Archives end with blocks of zeroes; some just end.
    const block = at + BigInt(BLOCK) <= disk.size ? await archive.read(at, BLOCK) : undefined;
    const header = block && readHeader(block, at);
    if (header === undefined) {
      if (count === 0) throw new DiskError("EINVAL", "tar: the disk is no tar archive, or one without entries");
      throw notFound(wanted, names, count);
    }
    const content = header.continues ? await archive.behindPieces(at + BigInt(BLOCK), signal) : at + BigInt(BLOCK);
    const size = sizeOf(header, said, global);
    const extended = (): Promise<Buffer> => archive.extended(header, content, disk.size);
    switch (header.type) {
      case "L":
        said.name = readText(await extended(), 0, MAX_EXTENDED);
        break;
      case "K":
        said.link = readText(await extended(), 0, MAX_EXTENDED);
        break;
      case "x":
      case "X":
        said.records = readRecords(await extended(), at);
        break;
      case "g":
        global = new Map([...global, ...readRecords(await extended(), at)]);
        break;
      default: {
        const name = said.records?.get("path") ?? said.name ?? global.get("path") ?? header.name;
        count += 1;
        if (names.length < SHOWN) names.push(name);
        const sparseName = said.records?.get("GNU.sparse.name");
        if (name === wanted || sparseName === wanted) {
          checkServable(header, said, wanted);
          if (content + size > disk.size) {
            throw new DiskError(
              "EIO",
              `tar: ${quoted(wanted)} has ${size} bytes from byte ${content} on, and the archive ends at ${disk.size}`,
            );
          }
          return { offset: content, size };
        }
        said = {};
      }
    }
    at = content + ((size + BigInt(BLOCK) - 1n) / BigInt(BLOCK)) * BigInt(BLOCK);
    if (at > MAX_SIZE) throw new DiskError("EIO", `tar: the header at byte ${content - BigInt(BLOCK)} has an impossible size: ${size}`);
    signal.throwIfAborted();
    if (headers % TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Bytes behind a header: its own word, unless an extended header knows better. Extended headers speak for themselves. */
function sizeOf(header: Header, said: Said, global: ReadonlyMap<string, string>): bigint {
  if ("LKxXg".includes(header.type) || !hasContent(header.type)) return header.size;
  const size = said.records?.get("size") ?? global.get("size");
  return size !== undefined && /^[0-9]{1,20}$/.test(size) ? BigInt(size) : header.size;
}

/** Throws when an entry is no file whose bytes lie in the archive as they are. */
function checkServable(header: Header, said: Said, name: string): void {
  const refuse = (what: string): DiskError => new DiskError("EINVAL", `tar: ${quoted(name)} is ${what}`);
  const link = quoted(said.records?.get("linkpath") ?? said.link ?? header.linkName);
  const sparse = header.type === "S" || [...(said.records?.keys() ?? [])].some((key) => key.startsWith("GNU.sparse."));
  if (sparse) throw refuse("a sparse file: its holes are not in the archive (make that without --sparse)");
  if (header.type === "1") throw refuse(`a hard link to ${link}: serve that`);
  if (header.type === "2") throw refuse(`a symbolic link to ${link}: serve that`);
  if (header.type === "5") throw refuse("a folder");
  if (header.type === "3" || header.type === "4" || header.type === "6") throw refuse("a device or pipe, and has no content");
  if (header.type === "M") throw refuse("continued from another volume");
  if (header.type !== "0" && header.type !== "7") throw refuse(`of type ${JSON.stringify(header.type)}, not a file`);
  if (header.type === "0" && name.endsWith("/")) throw refuse("a folder");
}

function notFound(wanted: string, names: readonly string[], count: number): DiskError {
  const list = names.map(quoted).join(", ");
  const all = count > names.length ? `the first of ${count} are` : "there are";
  return new DiskError("ENOENT", `tar: there is no entry ${quoted(wanted)} in the archive: ${all} ${list}`.slice(0, 2000));
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}

/** The bytes of an archive, a buffer at a time. */
class Archive {
  readonly #disk: Disk;
  readonly #buffer: Buffer;
  #start = 0n;
  #length = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.#buffer = Buffer.alloc(disk.size < READ ? Number(disk.size) : READ);
  }

  /** A few bytes, lent until the next call. */
  async read(at: bigint, length: number): Promise<Buffer> {
    const known = at >= this.#start && at + BigInt(length) <= this.#start + BigInt(this.#length);
    if (!known) {
      const left = this.#disk.size - at;
      const count = left < this.#buffer.length ? Number(left) : this.#buffer.length;
      this.#length = 0;
      const done = readPieces(this.#disk, this.#buffer.subarray(0, count), at);
      if (isPromise(done)) await done;
      this.#start = at;
      this.#length = count;
    }
    const from = Number(at - this.#start);
    return this.#buffer.subarray(from, from + length);
  }

  /** Where the blocks end in which the list of a sparse file's pieces goes on (GNU tar's old format). */
  async behindPieces(at: bigint, signal: AbortSignal): Promise<bigint> {
    for (let next = at; next + BigInt(BLOCK) <= this.#disk.size; next += BigInt(BLOCK)) {
      signal.throwIfAborted();
      if ((await this.read(next, BLOCK))[504] === 0) return next + BigInt(BLOCK);
    }
    throw new DiskError("EIO", `tar: the archive ends in the list of a sparse file's pieces, which starts at byte ${at}`);
  }

  /** What follows a header that belongs to the next one. */
  async extended({ size }: Header, at: bigint, end: bigint): Promise<Buffer> {
    if (size > MAX_EXTENDED)
      throw new DiskError("EIO", `tar: the extended header at byte ${at} is too long: ${size} bytes, more than 1 MiB`);
    if (at + size > end) throw new DiskError("EIO", `tar: the archive ends at byte ${end}, in the middle of an extended header`);
    const target = Buffer.alloc(Number(size));
    if (target.length === 0) return target;
    const done = readPieces(this.#disk, target, at);
    if (isPromise(done)) await done;
    return target;
  }
}
