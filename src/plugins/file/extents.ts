// The holes of a file, as the file system knows them.

import type { Awaitable } from "../../contract/awaitable.ts";
import type { Extent } from "../../contract/connection.ts";
import { DiskError, errorCode } from "../../contract/error.ts";
import type { ExtentFlags } from "../../contract/flags.ts";
import type { Native } from "../../native/index.ts";
import type { OpenFile } from "./open.ts";

/** Lists extents. */
export type Listing = (offset: bigint, length: bigint, flags: ExtentFlags) => Awaitable<Iterable<Extent>>;

/** So many extents are listed at a time, which takes a millisecond; whoever wants more asks again. */
export const MOST_LISTED: number = 1024;
/** For so many milliseconds it is remembered how far the data goes that was found last. */
const REMEMBERED = 100;

/** Tells whether the file system knows of holes. */
export async function knowsHoles(file: OpenFile, system: Native): Promise<boolean> {
  if (file.device !== false) return false;
  if (file.size === 0n) return true;
  try {
    // The last byte, as some file systems look at all that lies between here and the next hole.
    await system.seekHoleLater(file.fd, file.size - 1n);
    return true;
  } catch (error) {
    if (["EINVAL", "ENOTSUP", "ENOSYS"].includes(errorCode(error))) return false;
    throw error;
  }
}

/** The holes of a file, and what others did to them. */
export interface Holes {
  readonly list: Listing;
  /** Ranges have been zeroed or trimmed: what was data may be a hole now. */
  forget(): void;
}

/**
 * Lists the holes of a file by SEEK_DATA and SEEK_HOLE: at once where asking the file system takes microseconds, on another thread where it
 * may be another machine that is asked, or where files are memory: there each page is looked at, 10 ms for a gigabyte.
 */
export function holes(file: OpenFile, system: Native): Holes {
  const { fd, size } = file;
  // Data up to the next hole. Servers ask before each large read, and in a fragmented file looking for the hole takes long.
  let known = { start: 0n, end: 0n, until: 0 };
  const dataAt = (offset: bigint): bigint | undefined =>
    offset >= known.start && offset < known.end && performance.now() < known.until ? known.end : undefined;
  const remember = (start: bigint, end: bigint): bigint => {
    known = { start, end, until: performance.now() + REMEMBERED };
    return end;
  };

  /** One step after the other; `seek` is told what to look for. The same steps whether the answers come now or later. */
  function* steps(offset: bigint, length: bigint, reqOne: boolean): Generator<Seek, Extent[], bigint | undefined> {
    const end = offset + length;
    const list: Extent[] = [];
    const most = reqOne ? 1 : MOST_LISTED;
    for (let at = offset; at < end && list.length < most; ) {
      let next = dataAt(at);
      if (next === undefined) {
        const data = yield { call: "seekData", offset: at };
        if (data === undefined) {
          // Nothing but a hole up to the end: if that is where it was.
          const last = yield { call: "seekHole", offset: size - 1n };
          if (last === undefined)
            throw new DiskError("EIO", `the file has become shorter than the ${size} bytes that it had`, { offset: at });
        }
        const hole = data === undefined || data > end ? end : data;
        if (hole > at) {
          list.push({ offset: at, length: hole - at, hole: true, zero: true });
          at = hole;
          continue;
        }
        next = remember(at, (yield { call: "seekHole", offset: at }) ?? size);
      }
      if (next <= at || next > end) next = end;
      list.push({ offset: at, length: next - at });
      at = next;
    }
    return list;
  }

  const now: Listing = (offset, length, { reqOne }) => {
    const run = steps(offset, length, reqOne);
    for (let step = run.next(); ; ) {
      if (step.done) return step.value;
      step = run.next(system[step.value.call](fd, step.value.offset));
    }
  };
  const later: Listing = async (offset, length, { reqOne }) => {
    const run = steps(offset, length, reqOne);
    for (let step = run.next(); ; ) {
      if (step.done) return step.value;
      const { call, offset: from } = step.value;
      step = run.next(await (call === "seekData" ? system.seekDataLater(fd, from) : system.seekHoleLater(fd, from)));
    }
  };

  return {
    list: file.fileSystem === "local" ? now : later,
    forget() {
      known = { start: 0n, end: 0n, until: 0 };
    },
  };
}

interface Seek {
  readonly call: "seekData" | "seekHole";
  readonly offset: bigint;
}
