// Does jobs, one after the other, with a library that is loaded in this thread.

import { type Answer, CHUNK, type IoJob, type Job, type Message, SECTOR } from "../jobs.ts";
import { closeDisk, openDisk } from "./disk.ts";
import type { Pointer } from "./libc.ts";
import { type Library, VixFailure } from "./library.ts";

/** Where the library's messages go: native functions of type `void (const char *format, va_list)`. */
export interface LogFunctions {
  readonly log: Pointer;
  readonly warn: Pointer;
}

export class Engine {
  readonly #library: Library;
  readonly #log: LogFunctions;
  readonly #memory: Pointer;
  /** Room for one sector. */
  readonly #scratch: Pointer;

  /** @param memory - where the memory is that is shared with the server, if any: what is read and written goes through it */
  constructor(library: Library, log: LogFunctions, memory: Pointer = 0n) {
    this.#library = library;
    this.#log = log;
    this.#memory = memory;
    this.#scratch = library.c.calloc(1, SECTOR);
  }

  /** Does what a message asks for. */
  answer({ id, job }: Message): Answer {
    try {
      return { id, value: this.#perform(job) };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (!(error instanceof VixFailure)) return { id, failure: { text } };
      return { id, failure: { text, call: error.call, number: error.number } };
    }
  }

  #perform(job: Job): unknown {
    const { functions } = this.#library;
    switch (job.op) {
      case "load":
        return undefined;
      case "init":
        return this.#library.init(job.libdir, job.config, this.#log.log, this.#log.warn);
      case "open":
        return openDisk(this.#library, job.spec);
      case "close":
        return closeDisk(this.#library, job.disk);
      case "exit":
        return functions.Exit();
      case "read":
        return this.#library.check("Read", functions.Read(job.handle, job.sector, job.count, this.#memory + BigInt(job.at)));
      case "write":
        return this.#write(job);
      case "flush":
        return this.#library.check("Flush", functions.Flush(job.handle));
      case "allocated":
        return this.#allocated(job);
    }
  }

  #write({ handle, sector, skip, length, at }: IoJob & { op: "write" }): void {
    const { functions, c } = this.#library;
    const to = this.#memory + BigInt(at);
    const end = skip + length;
    const count = Math.ceil(end / SECTOR);
    if (skip > 0) {
      this.#library.check("Read", functions.Read(handle, sector, 1, this.#scratch));
      c.memcpy(to, this.#scratch, skip);
    }
    const inLast = end % SECTOR;
    if (inLast > 0) {
      this.#library.check("Read", functions.Read(handle, sector + BigInt(count - 1), 1, this.#scratch));
      c.memcpy(to + BigInt(end), this.#scratch + BigInt(inLast), SECTOR - inLast);
    }
    this.#library.check("Write", functions.Write(handle, sector, count, to));
  }

  #allocated({ handle, sector, count }: IoJob & { op: "allocated" }): BigUint64Array {
    const { functions, c } = this.#library;
    const list = this.#library.pointer("QueryAllocatedBlocks", (out) => functions.QueryAllocatedBlocks(handle, sector, count, CHUNK, out));
    // VixDiskLibBlockList: a 32-bit number of blocks, then from byte 8 on the blocks, each of a sector and a length.
    const head = new BigUint64Array(1);
    c.memcpy(head, list, 4);
    const pairs = new BigUint64Array(Number(head[0]) * 2);
    if (pairs.length > 0) c.memcpy(pairs, list + 8n, pairs.byteLength);
    this.#library.check("FreeBlockList", functions.FreeBlockList(list));
    return merged(pairs);
  }
}

/** Puts blocks that follow each other together: some versions list every chunk. */
function merged(pairs: BigUint64Array): BigUint64Array {
  let end = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const start = pairs[i] as bigint;
    const length = pairs[i + 1] as bigint;
    if (end > 0 && (pairs[end - 2] as bigint) + (pairs[end - 1] as bigint) === start) pairs[end - 1] = (pairs[end - 1] as bigint) + length;
    else {
      pairs[end] = start;
      pairs[end + 1] = length;
      end += 2;
    }
  }
  return pairs.slice(0, end);
}
