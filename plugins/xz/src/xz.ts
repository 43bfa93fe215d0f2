// The filter: a disk that reads as what an xz file holds.

import { type Awaitable, type Disk, DiskError, type Filter, filter, type OpenRequest, type Overrides } from "diskwright";
import { type Blocks, readBlocks } from "./blocks.ts";
import { unusable } from "./errors.ts";
import { Image } from "./image.ts";
import { type Settings, toSettings, type XzOptions } from "./options.ts";
import { Pool } from "./pool.ts";

/** After so many reads in a row that go on in the same block or the next, the client is taken to read all of it. */
const STREAK = 2;

/**
 * A disk that reads as what the xz file below holds. Any part of it can be read: what is decompressed is the blocks that have that part, several of them
 * at once, in threads. Blocks that were read lately are kept, and shared by all clients of an export. Everything in the file that can be checked is
 * checked: content is only handed out once the checksum of its block was found right.
 *
 * The disk is read-only. It is as quick to read at random as its blocks are small: `xz --block-size=4MiB disk.img` makes small ones, plain `xz`
 * a single one, which is decompressed whole on the first read.
 *
 * Streams one after the other, padding between them, every kind of check, and the filters delta, x86, ARM, ARM-Thumb, ARM64, PowerPC, IA-64 and
 * SPARC are understood. Source: "The .xz File Format", version 1.2.0.
 *
 * @throws DiskError EINVAL when an option is not what it should be; on opening, when the file below is no xz file, is damaged or has a block larger
 * than `maxBlock`; EIO on reading a block that is damaged
 * @example
 * ```ts
 * await using disk = await openDisk(pipe(memory("64M"), xz({ maxBlock: "64M" })));
 * ```
 */
export function xz(options: XzOptions = {}): Filter {
  const settings = toSettings(options);
  return (next) => {
    const images = new Images(settings);
    return filter("xz", (disk, request) => images.open(disk, request), { close: () => images.close() })(next);
  };
}

interface Shared {
  readonly image: Image;
  users: number;
}

/** The images that clients have open, and the threads that decode for them. */
class Images {
  readonly #settings: Settings;
  readonly #images: Map<string, Shared> = new Map();
  #pool: Pool | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async open(disk: Disk, request: OpenRequest): Promise<Overrides> {
    const blocks = await this.#read(disk, request.signal);
    // A file that was replaced in the meantime has other indexes: its clients do not meet those of the old one.
    const key = `${blocks.fingerprint} ${request.exportName}`;
    const shared = this.#images.get(key) ?? { image: this.#image(blocks), users: 0 };
    shared.users += 1;
    this.#images.set(key, shared);
    return overrides(shared.image, disk, request.signal, () => {
      shared.users -= 1;
      if (shared.users === 0) this.#images.delete(key);
    });
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.close();
  }

  async #read(disk: Disk, signal: AbortSignal): Promise<Blocks> {
    let blocks: Blocks;
    try {
      blocks = await readBlocks(disk, signal);
    } catch (error) {
      throw unusable(error);
    }
    const { maxBlock } = this.#settings;
    if (blocks.largest <= maxBlock) return blocks;
    throw new DiskError(
      "EINVAL",
      `the largest block of the xz file is ${blocks.largest} bytes, more than maxBlock (${maxBlock}): ` +
        "compress it again with smaller blocks (xz --block-size=16MiB), or allow larger ones (xz-max-block on the command line)",
    );
  }

  #image(blocks: Blocks): Image {
    this.#pool ??= new Pool(this.#settings.threads);
    return new Image(blocks, this.#pool, this.#settings);
  }
}

function overrides(image: Image, disk: Disk, signal: AbortSignal, leave: () => void): Overrides {
  const { blocks } = image;
  let last = 0;
  let streak = 0;

  /** Notes which block is read, and looks ahead where that seems to be wanted. */
  const follow = (number: number): void => {
    streak = number === last || number === last + 1 ? streak + 1 : 0;
    last = number;
    if (streak >= STREAK) image.readAhead(number, disk);
  };

  /** The pieces of blocks that make up a range, if all of them are at hand. */
  const pieces = (offset: number, length: number): Uint8Array[] | undefined => {
    const found: Uint8Array[] = [];
    let number = blocks.find(offset);
    for (let done = 0; done < length; number += 1) {
      const content = image.kept(number);
      if (content === undefined) return undefined;
      const from = offset + done - blocks.startOf(number);
      const piece = content.subarray(from, from + length - done);
      found.push(piece);
      done += piece.length;
    }
    return found;
  };

  const readLater = async (target: Uint8Array, offset: number): Promise<void> => {
    const first = blocks.find(offset);
    const end = blocks.find(offset + target.length - 1);
    for (let number = first; number <= end; number += 1) {
      const wanted = image.get(number, disk, signal);
      // The others that the range needs are decoded meanwhile.
      if (number < end) image.readAhead(number, disk);
      const content = await wanted;
      const start = blocks.startOf(number);
      const from = Math.max(offset, start);
      target.set(content.subarray(from - start, offset + target.length - start), from - offset);
      follow(number);
    }
  };

  return {
    size: BigInt(blocks.size),
    blockSize: undefined,
    contexts: [],
    traits: { multiConn: true },
    read(target, offset): Awaitable<void> {
      const at = Number(offset);
      const found = pieces(at, target.length);
      if (found === undefined) return readLater(target, at);
      let done = 0;
      for (const piece of found) {
        target.set(piece, done);
        done += piece.length;
      }
      follow(blocks.find(at + target.length - 1));
      return undefined;
    },
    views(offset, length) {
      const at = Number(offset);
      const found = length === 0 ? undefined : pieces(at, length);
      if (found !== undefined) follow(blocks.find(at + length - 1));
      return found;
    },
    async cache(offset, length) {
      const first = blocks.find(Number(offset));
      const end = Math.min(blocks.find(Number(offset + length) - 1), first + image.depth - 1);
      for (let number = first; number <= end; number += 1) await image.get(number, disk, signal);
    },
    write: undefined,
    trim: undefined,
    zero: undefined,
    extents: undefined,
    close() {
      image.leave(disk);
      leave();
    },
  };
}
