// A file without a name in the temporary folder: what filters keep there is private, sparse, and gone with the process.

import { randomUUID } from "node:crypto";
import { close, existsSync, openSync, read, readSync, unlinkSync, write, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Awaitable } from "../contract/awaitable.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { DiskError, errorCode, errorText } from "../contract/error.ts";
import { UnderWay } from "../contract/under-way.ts";
import { type Native, native } from "../native/index.ts";

/** Longer reads and writes are done by the thread pool: others need not wait while so much is copied. */
const LONGEST_AT_ONCE = 1024 * 1024;
/** A call that took more milliseconds met a busy disk. (A busy processor, too, keeps one waiting for some.) */
const STALL = 10;
/** For so many times as long the thread pool does what might stall again. */
const AFTER_STALL = 10;

/** Where temporary files go: `TMPDIR`, or `/var/tmp` where there is one, as `/tmp` is often kept in memory; elsewhere what the system says. */
export function temporaryFolder(): string {
  const { TMPDIR } = process.env;
  if (TMPDIR !== undefined && TMPDIR !== "") return TMPDIR;
  return process.platform !== "win32" && existsSync("/var/tmp") ? "/var/tmp" : tmpdir();
}

/** How {@link openTemporaryFile} opens. */
export interface TemporaryFileOptions {
  /** Tells how long calls take. Default: the machine's. */
  readonly clock?: Pick<Clock, "now">;
}

/** A file that has just been made. */
export interface UnnamedFile {
  readonly fd: number;
  /** Where it is to be removed when it is closed; `undefined`: it has no name any more. */
  readonly path: string | undefined;
}

/**
 * Makes an empty file in {@link temporaryFolder} that only this user may open. Its name is removed at once where the system allows that, as
 * all but Windows do, so that it is gone however the process ends; elsewhere when it is closed.
 *
 * @param failure - how the error's text begins when it cannot be made
 * @throws Error with the code of what went wrong
 */
export function openUnnamed(failure: string): UnnamedFile {
  const folder = temporaryFolder();
  const path = join(folder, `diskwright-${randomUUID()}`);
  let fd: number;
  try {
    fd = openSync(path, "wx+", 0o600);
  } catch (error) {
    // No DiskError: the folder's name is not a client's business.
    const text = `${failure} in ${folder} (TMPDIR names another folder): ${errorText(error)}`;
    throw Object.assign(new Error(text, { cause: error }), { code: errorCode(error) });
  }
  try {
    unlinkSync(path);
  } catch {
    return { fd, path };
  }
  return { fd, path: undefined };
}

/**
 * Opens a {@link TemporaryFile}, made by {@link openUnnamed}.
 *
 * @param what - what is kept in it, for errors: "the overlay"
 * @throws Error with the code of what went wrong when it cannot be made
 */
export function openTemporaryFile(what: string, options: TemporaryFileOptions = {}): TemporaryFile {
  const { fd, path } = openUnnamed(`cannot make a temporary file for ${what}`);
  return new TemporaryFile(fd, what, options.clock ?? systemClock, path);
}

/**
 * A file that is read and written at offsets. What was never written reads as zeroes and takes no room.
 *
 * Calls answer at once while the system's page cache does, and otherwise by the thread pool: a 4 KiB read at once takes 2 µs, one by the
 * thread pool 11 µs at depth 32 and 50 µs alone. Reads ask the page cache (`preadv2`) where src/native can; where it cannot, and for
 * writes, the first call that stalls sends those after it to the thread pool for a while. Calls on the same bytes are the caller's to order.
 */
export class TemporaryFile {
  readonly #fd: number;
  readonly #what: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #path: string | undefined;
  readonly #calls = new UnderWay();
  /** Past the last byte that was written. */
  #end = 0;
  #patientFrom = Number.NEGATIVE_INFINITY;
  /** What the file system has not refused yet. */
  #punches = true;
  #knowsCached = true;

  constructor(fd: number, what: string, clock: Pick<Clock, "now">, path: string | undefined) {
    this.#fd = fd;
    this.#what = what;
    this.#clock = clock;
    this.#path = path;
  }

  /** Fills `target` with the bytes at `offset`. */
  read(target: Uint8Array, offset: bigint | number): Awaitable<void> {
    this.#calls.checkOpen("read a temporary file");
    const at = Number(offset);
    if (at >= this.#end) {
      target.fill(0);
      return undefined;
    }
    let done = 0;
    if (target.length <= LONGEST_AT_ONCE) {
      const system = this.#knowsCached ? native() : undefined;
      if (system !== undefined) done = this.#readCached(system, target, at);
      else if (this.#quick()) done = this.#readNow(target, at);
    }
    return done === target.length ? undefined : this.#calls.track(this.#readLater(target, done, at));
  }

  /**
   * Writes `source` at `offset`; its bytes must not change until the answer.
   *
   * @throws DiskError ENOSPC when there is no room
   */
  write(source: Uint8Array, offset: bigint | number): Awaitable<void> {
    this.#calls.checkOpen("write a temporary file");
    const at = this.#checked(Number(offset), source.length);
    this.#end = Math.max(this.#end, at + source.length);
    if (source.length <= LONGEST_AT_ONCE && this.#quick()) return this.#writeNow(source, at);
    return this.#calls.track(this.#writeLater(source, at));
  }

  /** Gives back the room of a range, where the system can; its bytes are undefined from now on, and may be written again after the answer. */
  discard(offset: bigint | number, length: bigint | number): Awaitable<void> {
    this.#calls.checkOpen("punch a temporary file");
    const system = this.#punches ? native() : undefined;
    if (system === undefined || Number(offset) >= this.#end || Number(length) === 0) return undefined;
    return this.#calls.track(
      system.punchHole(this.#fd, BigInt(offset), BigInt(length)).catch(() => {
        // Only room is lost. A file system that cannot do it once never can.
        this.#punches = false;
      }),
    );
  }

  /** Closes the file, and it is gone. Waits for the calls under way. */
  async close(): Promise<void> {
    await this.#calls.close();
    await new Promise<void>((resolve, reject) => {
      close(this.#fd, (error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
    if (this.#path !== undefined) unlinkSync(this.#path);
  }

  #quick(): boolean {
    return this.#clock.now() >= this.#patientFrom;
  }

  /** A call at once has ended: when it took long, the next one is not made so. */
  #took(start: number): void {
    const end = this.#clock.now();
    if (end - start > STALL) this.#patientFrom = end + AFTER_STALL * (end - start);
  }

  /** Reads what is in the page cache; answers how much that was. */
  #readCached(system: Native, target: Uint8Array, at: number): number {
    let done = 0;
    while (done < target.length) {
      let count: number | undefined;
      try {
        count = system.preadNowait(this.#fd, done === 0 ? target : target.subarray(done), at + done);
      } catch {
        // Not on this file system; a true error comes again when the thread pool reads.
        this.#knowsCached = false;
        return done;
      }
      if (count === undefined) return done;
      if (count === 0) target.fill(0, done);
      done = count === 0 ? target.length : done + count;
    }
    return done;
  }

  #readNow(target: Uint8Array, at: number): number {
    const start = this.#clock.now();
    let done = 0;
    while (done < target.length) {
      const count = readSync(this.#fd, target, done, target.length - done, at + done);
      if (count === 0) target.fill(0, done);
      done = count === 0 ? target.length : done + count;
    }
    this.#took(start);
    return done;
  }

  async #readLater(target: Uint8Array, from: number, at: number): Promise<void> {
    let done = from;
    while (done < target.length) {
      const count = await new Promise<number>((resolve, reject) => {
        read(this.#fd, target, done, target.length - done, at + done, (error, bytes) => (error ? reject(error) : resolve(bytes)));
      });
      if (count === 0) target.fill(0, done);
      done = count === 0 ? target.length : done + count;
    }
  }

  #writeNow(source: Uint8Array, at: number): void {
    const start = this.#clock.now();
    try {
      for (let done = 0; done < source.length; ) done += writeSync(this.#fd, source, done, source.length - done, at + done);
    } catch (error) {
      throw this.#explained(error);
    }
    this.#took(start);
  }

  async #writeLater(source: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < source.length; ) {
      done += await new Promise<number>((resolve, reject) => {
        write(this.#fd, source, done, source.length - done, at + done, (error, bytes) =>
          error ? reject(this.#explained(error)) : resolve(bytes),
        );
      });
    }
  }

  /** Node writes at the file's current position when the offset is no number that it knows: such a write must not get there. */
  #checked(at: number, length: number): number {
    if (Number.isSafeInteger(at + length) && at >= 0) return at;
    throw new DiskError("ENOSPC", `no room for ${this.#what}: ${at} is past what a temporary file can hold`);
  }

  #explained(error: unknown): unknown {
    const code = errorCode(error);
    if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EFBIG") return error;
    return new DiskError("ENOSPC", `no room for ${this.#what}: the server's temporary folder (TMPDIR) is full`, { cause: error });
  }
}
