// Writing at offsets: into the page cache at once where the kernel promises not to wait, everything else by the thread pool.

import { write as fsWrite, writeSync } from "node:fs";
import type { Awaitable } from "../../contract/awaitable.ts";
import { DiskError, errorCode } from "../../contract/error.ts";
import type { Native } from "../../native/index.ts";
import type { OpenFile } from "./open.ts";
import { Pace } from "./pace.ts";

/** Writes at an offset. */
export type Writing = (source: Uint8Array, offset: bigint) => Awaitable<void>;

/** Longer writes go to the thread pool: copying so much would keep all others waiting. */
const LONGEST_AT_ONCE = 512 * 1024;
/** Node takes larger offsets for the file's current position. */
const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/** Writes of whole pages need not read what is around them first. */
const PAGE = 4096;

/**
 * Chooses how a file is written. A plain write into the page cache may wait: for a journal's commit, or because more is dirty than the disk
 * can take. So it is made at once only where files are memory, or where the kernel knows how to write without waiting (XFS), or, if that is asked for,
 * as long as it does not wait.
 *
 * @param inline - writes of whole pages are made at once while the page cache takes them without waiting
 */
export function writing(file: OpenFile, system: Native | undefined, inline: boolean): Writing {
  const { fd } = file;
  const rest = (source: Uint8Array, done: number, offset: bigint): Promise<void> => writeRest(fd, source, done, offset, system);
  if (file.fileSystem === "memory") {
    return (source, offset) => {
      if (source.length > LONGEST_AT_ONCE || offset > MOST_EXACT) return rest(source, 0, offset);
      const count = writeSync(fd, source, 0, source.length, Number(offset));
      return count === source.length ? undefined : rest(source, count, offset);
    };
  }
  if (inline && (file.fileSystem === "local" || file.device !== false)) return paced(fd, rest);
  let quick: Native | undefined = system;
  return (source, offset) => {
    if (quick === undefined || source.length > LONGEST_AT_ONCE || offset > MOST_EXACT) return rest(source, 0, offset);
    let count: number | undefined;
    try {
      count = quick.pwriteNowait(fd, source, Number(offset));
    } catch {
      // Not on this file system. An error of writing comes again below.
      quick = undefined;
    }
    return count === source.length ? undefined : rest(source, count ?? 0, offset);
  };
}

function paced(fd: number, rest: (source: Uint8Array, done: number, offset: bigint) => Promise<void>): Writing {
  const pace = new Pace(() => performance.now());
  return (source, offset) => {
    const at = Number(offset);
    const { length } = source;
    const whole = at % PAGE === 0 && length % PAGE === 0 && length <= LONGEST_AT_ONCE && offset <= MOST_EXACT;
    const start = whole ? pace.start() : undefined;
    if (start === undefined) return rest(source, 0, offset);
    let count = 0;
    try {
      count = writeSync(fd, source, 0, length, at);
    } catch (error) {
      if (errorCode(error) !== "EINTR") throw error;
    } finally {
      pace.end(start);
    }
    return count === length ? undefined : rest(source, count, offset);
  };
}

async function writeRest(fd: number, source: Uint8Array, from: number, offset: bigint, system: Native | undefined): Promise<void> {
  for (let done = from; done < source.length; ) {
    const at = offset + BigInt(done);
    const count = await (at > MOST_EXACT ? writeFar(fd, source.subarray(done), at, system) : writeFrom(fd, source, done, Number(at)));
    if (count === 0) throw new DiskError("EIO", `the file took none of the bytes at ${at}`, { offset: at });
    done += count;
  }
}

/** Writes `source` from `done` on: how many bytes. */
function writeFrom(fd: number, source: Uint8Array, done: number, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fsWrite(fd, source, done, source.length - done, at, (error, count) => {
      if (error === null) resolve(count);
      else if (errorCode(error) === "EINTR") resolve(writeFrom(fd, source, done, at));
      else reject(error);
    });
  });
}

function writeFar(fd: number, source: Uint8Array, at: bigint, system: Native | undefined): Promise<number> {
  if (system === undefined) throw new DiskError("EOVERFLOW", `writing at ${at}, past 2^53, needs koffi`, { offset: at });
  return system.pwrite(fd, source, at);
}
