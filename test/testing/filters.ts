// Filters that keep the contract, for tests of the kit.

import { type Filter, filter } from "../../src/contract/index.ts";

/** Shows `length` bytes of the disk below from `start` on. */
export function part(start: bigint, length: bigint): Filter {
  return filter("part", (disk) => {
    const { views } = disk;
    return {
      size: length,
      read: (target, offset) => disk.read(target, offset + start),
      ...(views && { views: (offset, bytes) => views(offset + start, bytes) }),
      ...(disk.capabilities.write && {
        write: (source, offset, flags) => disk.write(source, offset + start, flags),
        zero: (offset, bytes, flags) => disk.zero(offset + start, bytes, flags),
      }),
      ...(disk.capabilities.trim && { trim: (offset, bytes, flags) => disk.trim(offset + start, bytes, flags) }),
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
    ...(disk.capabilities.write && {
      write: (source, offset, flags) =>
        disk.write(
          source.map((byte) => byte ^ key),
          offset,
          flags,
        ),
    }),
    trim: undefined,
    zero: undefined,
    extents: undefined,
  }));
}
