// Reading at offsets: what is in the page cache at once, everything else by the thread pool.

import { read as fsRead, readSync } from "node:fs";
import type { Awaitable } from "../../contract/awaitable.ts";
import { DiskError, errorCode } from "../../contract/error.ts";
import type { Native } from "../../native/index.ts";
import type { OpenFile } from "./open.ts";

/** Reads at an offset. */
export type Reading = (target: Uint8Array, offset: bigint) => Awaitable<void>;

/**
 * Longer reads go to the thread pool also when the page cache has them: copying so much would keep all others waiting.
 */
const LONGEST_AT_ONCE = 512 * 1024;

/** Chooses how a file is read. */
export function reading(file: OpenFile, system: Native | undefined): Reading {
  const { fd } = file;
  const rest = (target: Uint8Array, done: number, offset: bigint): Promise<void> => readRest(file, target, done, offset);
  if (file.fileSystem === "memory") {
    return (target, offset) => {
      if (target.length > LONGEST_AT_ONCE || offset > MOST_EXACT) return rest(target, 0, offset);
      const count = readSync(fd, target, 0, target.length, Number(offset));
      return count === target.length ? undefined : rest(target, count, offset);
    };
  }
  if (system === undefined) return (target, offset) => rest(target, 0, offset);

  let cached: Native | undefined = system;
  return (target, offset) => {
    if (cached === undefined || target.length > LONGEST_AT_ONCE || offset > MOST_EXACT) return rest(target, 0, offset);
    let count: number | undefined;
    try {
      // A number: converting a bigint for the call takes as long as the call.
      count = cached.preadNowait(fd, target, Number(offset));
    } catch {
      // Not on this file system. An error of reading comes again below.
      cached = undefined;
    }
    return count === target.length ? undefined : rest(target, count ?? 0, offset);
  };
}

/** Larger offsets are no exact numbers. */
const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

async function readRest({ fd, size }: OpenFile, target: Uint8Array, from: number, offset: bigint): Promise<void> {
  for (let done = from; done < target.length; ) {
    const at = offset + BigInt(done);
    const count = await readInto(fd, target, done, at);
    if (count === 0) throw shorter(at, size);
    done += count;
  }
}

function shorter(at: bigint, size: bigint): DiskError {
  return new DiskError("EIO", `the file has become shorter: nothing is left to read at ${at} of what were ${size} bytes`, { offset: at });
}

/** Reads into `target` from `done` on: how many bytes, 0 at the end of the file. */
export function readInto(fd: number, target: Uint8Array, done: number, at: bigint): Promise<number> {
  return new Promise((resolve, reject) => {
    fsRead(fd, target, done, target.length - done, at as unknown as number, (error, count) => {
      if (error === null) resolve(count);
      else if (errorCode(error) === "EINTR") resolve(readInto(fd, target, done, at));
      else reject(error);
    });
  });
}
