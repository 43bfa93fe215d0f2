// Filters that keep the contract, for tests of the kit.

import { type Disk, type Filter, filter } from "../../src/contract/index.ts";

/** Shows `length` bytes of the disk below from `start` on. */
export function part(start: bigint, length: bigint): Filter {
  return filter("part", (disk) => {
    const { views } = disk;
    return {
      size: length,
      read: (target, offset) => disk.read(target, offset + start),
      ...(views && { views: (offset, bytes) => views(offset + start, bytes) }),
      write: (source, offset, flags) => disk.write(source, offset + start, flags),
      zero: (offset, bytes, flags) => disk.zero(offset + start, bytes, flags),
      trim: (offset, bytes, flags) => disk.trim(offset + start, bytes, flags),
      extents: async (offset, bytes, flags) =>
        (await disk.extents(offset + start, bytes, flags)).map((extent) => ({ ...extent, offset: extent.offset - start })),
      cache: (offset, bytes) => disk.cache(offset + start, bytes),
    };
  });
}

/** Shows every byte of the disk below changed by `key`. */
export function xor(key: number): Filter {
  return filter("xor", (disk) => ({
    async read(target, offset) {
      await disk.read(target, offset);
      for (const [i, byte] of target.entries()) target[i] = byte ^ key;
    },
    write: (source, offset, flags) =>
      disk.write(
        source.map((byte) => byte ^ key),
        offset,
        flags,
      ),
    trim: undefined,
    zero: undefined,
    extents: undefined,
  }));
}

/** Keeps what is written to itself, for each client anew. */
export function overlay(): Filter {
  return filter("overlay", (disk) => {
    const { read, write } = held(disk);
    return { ...nothingElse, read, write, flush: () => undefined, traits: { fua: "native", multiConn: false } };
  });
}

/** Writes what it was given when it is flushed or closed. */
export function writeback(): Filter {
  return filter("writeback", (disk) => {
    const { pages, read, write } = held(disk);
    const flush = async (): Promise<void> => {
      for (const [page, bytes] of pages) await disk.write(bytes, page);
      pages.clear();
      await disk.flush();
    };
    return {
      ...nothingElse,
      read,
      ...(disk.capabilities.write && { write, flush, close: flush }),
      traits: { fua: disk.capabilities.write ? "emulate" : "none", multiConn: false },
    };
  });
}

const nothingElse = { trim: undefined, zero: undefined, extents: undefined } as const;

/** Reading and writing by way of pages in memory. */
function held(disk: Disk) {
  const PAGE = 4096n;
  const pages = new Map<bigint, Uint8Array>();
  /** The page at `start`, from below if need be. Loading it twice at once gives the same one. */
  const load = async (start: bigint): Promise<Uint8Array> => {
    const found = pages.get(start);
    if (found !== undefined) return found;
    const left = disk.size - start;
    const bytes = new Uint8Array(Number(left < PAGE ? left : PAGE));
    await disk.read(bytes, start);
    return pages.get(start) ?? bytes;
  };
  /** The parts of a range by page: where the page starts, where in it, how many bytes, and how far into the range. */
  function* parts(offset: bigint, length: number): Generator<[bigint, number, number, number]> {
    for (let done = 0; done < length; ) {
      const at = offset + BigInt(done);
      const inPage = Number(at % PAGE);
      const bytes = Math.min(Number(PAGE) - inPage, length - done);
      yield [at - BigInt(inPage), inPage, bytes, done];
      done += bytes;
    }
  }
  return {
    pages,
    async read(target: Uint8Array, offset: bigint): Promise<void> {
      for (const [page, start, bytes, done] of parts(offset, target.length))
        target.set((await load(page)).subarray(start, start + bytes), done);
    },
    async write(source: Uint8Array, offset: bigint): Promise<void> {
      for (const [page, start, bytes, done] of parts(offset, source.length)) {
        const whole = await load(page);
        pages.set(page, whole);
        whole.set(source.subarray(done, done + bytes), start);
      }
    },
  };
}
