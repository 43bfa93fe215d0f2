// The swab filter: the bytes of each word in reverse order.

import { andThen, isPromise } from "../contract/awaitable.ts";
import type { BlockSize, Extent } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/** How {@link swab} sees a disk. */
export interface SwabOptions {
  /** Bits of a word: 8 changes nothing. Default: 16. */
  readonly bits?: 8 | 16 | 32 | 64;
}

/**
 * Reverses the bytes of each word of a disk, as disks need it that were written through a controller wired the other way round. The disk
 * ends with its last whole word, and requests must be of whole words: others fail with EINVAL.
 *
 * @throws DiskError EINVAL when there are no words of so many bits
 * @example An image of an Atari Falcon's disk
 * ```ts
 * const disk = pipe(myPlugin, swab());
 * ```
 */
export function swab(options: SwabOptions = {}): Filter {
  const { bits = 16 } = options;
  if (bits === 8) return filter("swab", () => ({}));
  const swap = swaps[bits];
  if (swap === undefined) throw new DiskError("EINVAL", `bits ${String(bits)}: expected 8, 16, 32 or 64`);
  const bytes = bits / 8;
  const word = BigInt(bytes);

  const check = (operation: string, offset: bigint, length: bigint): void => {
    if (offset % word === 0n && length % word === 0n) return;
    const message = `cannot ${operation} ${length} bytes at ${offset}: swapped words of ${bits} bits take whole words only`;
    throw new DiskError("EINVAL", message);
  };

  return filter("swab", (disk) => {
    const can = disk.capabilities;
    return {
      size: disk.size - (disk.size % word),
      blockSize: wholeWords(disk.blockSize, bytes),
      traits: { trimZeroes: can.trimZeroes },
      read(target, offset) {
        check("read", offset, BigInt(target.length));
        const done = disk.read(target, offset);
        if (isPromise(done)) return done.then(() => void swap(target));
        swap(target);
        return undefined;
      },
      ...(can.write && {
        write(source, offset, flags) {
          check("write", offset, BigInt(source.length));
          const swapped = Buffer.from(source);
          swap(swapped);
          return disk.write(swapped, offset, flags);
        },
      }),
      ...(can.trim && {
        trim(offset, length, flags) {
          check("trim", offset, length);
          return disk.trim(offset, length, flags);
        },
      }),
      ...(can.zero && {
        zero(offset, length, flags) {
          check("zero", offset, length);
          return disk.zero(offset, length, flags);
        },
      }),
      ...(can.extents && {
        extents(offset, length, flags) {
          // A range may start or end within a word here: what is asked for is only advice, and cropped by the caller.
          const start = offset - (offset % word);
          const end = offset + length + ((word - ((offset + length) % word)) % word);
          return andThen(disk.extents(start, end - start, flags), (list) => ofWords(list, word));
        },
      }),
    };
  });
}

type Swap = (bytes: Uint8Array) => void;

const swaps: Readonly<Partial<Record<number, Swap>>> = {
  16: (bytes) => asBuffer(bytes).swap16(),
  32: (bytes) => asBuffer(bytes).swap32(),
  64: (bytes) => asBuffer(bytes).swap64(),
};

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function wholeWords(below: BlockSize | undefined, bytes: number): BlockSize {
  const { minimum = 1, preferred = 4096, maximum = 0xffffffff } = below ?? {};
  return { minimum: Math.max(minimum, bytes), preferred, maximum: maximum === 0xffffffff ? maximum : maximum - (maximum % bytes) };
}

/** Extents in whole words: one that has something else in a part of it is data. */
function ofWords(list: readonly Extent[], word: bigint): readonly Extent[] {
  if (list.every(({ offset, length }) => offset % word === 0n && length % word === 0n)) return list;
  const last = list.at(-1) as Extent;
  const end = last.offset + last.length;
  const whole: Extent[] = [];
  for (const { offset, length, hole = false, zero = false } of list) {
    if (!hole && !zero) continue;
    const start = offset + ((word - (offset % word)) % word);
    const bytes = offset + length - ((offset + length) % word) - start;
    if (bytes > 0n) whole.push({ offset: start, length: bytes, hole, zero });
  }
  const covered = whole.at(-1);
  const from = covered === undefined ? (list[0] as Extent).offset : covered.offset + covered.length;
  // What ends within a word is data up to the word's end, so that the list covers what was looked at.
  const to = end + ((word - (end % word)) % word);
  if (from < to) whole.push({ offset: from, length: to - from });
  return whole;
}
