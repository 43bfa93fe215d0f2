// Zeroing and trimming as the file system or the device does it, without writing.

import { DiskError, errorCode } from "../../contract/error.ts";
import type { ZeroFlags } from "../../contract/flags.ts";
import type { Native } from "../../native/index.ts";
import type { OpenFile } from "./open.ts";
import type { Writing } from "./write.ts";

/** Zeroes and trims ranges. */
export interface Zeroing {
  zero(offset: bigint, length: bigint, flags: ZeroFlags): Promise<void>;
  trim(offset: bigint, length: bigint): Promise<void>;
}

type Way = (offset: bigint, length: bigint) => Promise<void>;

/**
 * Chooses how ranges are zeroed and trimmed. What is refused once, as not supported, is not tried again.
 *
 * @param write - writes the edges of ranges that a device cannot zero
 */
export function zeroing(file: OpenFile, system: Native, write: Writing): Zeroing {
  const { fd, device } = file;
  const block = typeof device === "object" ? BigInt(device.logicalBlockSize) : 1n;
  const punch = untilRefused((offset, length) => system.punchHole(fd, offset, length));
  const zeroRange = untilRefused((offset, length) => system.zeroRange(fd, offset, length));
  // A file system that has no better way to zero and keep: tmpfs.
  const punchAndAllocate = untilRefused(async (offset, length) => {
    await system.punchHole(fd, offset, length);
    await system.allocate(fd, offset, length);
  });
  const discard = untilRefused((offset, length) => system.discard(fd, offset, length));
  const zeroOut = untilRefused((offset, length) => system.zeroOut(fd, offset, length));

  const zeroBlocks = async (offset: bigint, length: bigint, { noHole, fastZero }: ZeroFlags): Promise<void> => {
    const ways = [!noHole && punch, zeroRange, device === false && punchAndAllocate, device !== false && !fastZero && zeroOut];
    for (const way of ways) if (way !== false && (await way(offset, length))) return;
    throw new DiskError("ENOTSUP", "this file system or device cannot zero a range without writing");
  };

  return {
    async zero(offset, length, flags) {
      const [start, end] = inner(offset, length, block);
      if (start >= end) {
        if (block > 1n && flags.fastZero)
          throw new DiskError("ENOTSUP", `zeroing ${length} bytes at ${offset} fast: the device has blocks of ${block}`);
        return zeroEdge(offset, length);
      }
      await zeroBlocks(start, end - start, flags);
      await zeroEdge(offset, start - offset);
      await zeroEdge(end, offset + length - end);
    },
    async trim(offset, length) {
      const [start, end] = inner(offset, length, block);
      if (start >= end) return;
      // Trimming is a wish: where nobody can, all is well.
      if (device !== false && (await discard(start, end - start))) return;
      await punch(start, end - start);
    },
  };

  /** Less than a block of the device. */
  async function zeroEdge(offset: bigint, length: bigint): Promise<void> {
    if (length > 0n) await write(new Uint8Array(Number(length)), offset);
  }
}

/** The part of a range that is whole blocks. */
function inner(offset: bigint, length: bigint, block: bigint): readonly [start: bigint, end: bigint] {
  const end = offset + length;
  return [((offset + block - 1n) / block) * block, (end / block) * block];
}

/** What file systems say that do not know a way, ENOSYS being that of FUSE. */
const refusals: readonly string[] = ["ENOTSUP", "ENOSYS", "ENODEV"];

/** Tells whether a way worked; one that is refused is no way from then on. */
function untilRefused(way: Way): (offset: bigint, length: bigint) => Promise<boolean> {
  let works = true;
  return async (offset, length) => {
    if (!works) return false;
    try {
      await way(offset, length);
      return true;
    } catch (error) {
      if (!refusals.includes(errorCode(error))) throw error;
      works = false;
      return false;
    }
  };
}
