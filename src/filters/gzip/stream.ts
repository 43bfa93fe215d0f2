// The unpacked bytes of a gzip file in order, from its start or from a checkpoint on.

import { crc32 } from "node:zlib";
import type { Disk } from "../../contract/disk.ts";
import { DiskError } from "../../contract/error.ts";
import { type BlockState, Inflater, WINDOW } from "./inflate.ts";
import { atMember, readHeader, readTrailer } from "./member.ts";
import { Source } from "./source.ts";

/** A place in a gzip file from which it can be unpacked. */
export interface Checkpoint {
  /** The unpacked byte that comes next. */
  readonly out: number;
  /** Bits from the start of the file to what it is unpacked from. */
  readonly bit: number;
  /** How far a block has been unpacked; undefined between two members. */
  readonly block: BlockState | undefined;
  /** The bytes before, up to 32 KiB, that those which follow may refer to. */
  readonly window: Uint8Array;
}

/** Where every file starts. */
export const BEGINNING: Checkpoint = { out: 0, bit: 0, block: undefined, window: new Uint8Array(0) };

/** Unpacks a gzip file from front to back. */
export class GzipStream {
  readonly #source: Source;
  readonly #inflater: Inflater;
  readonly #from: Checkpoint;
  /** Unpacked bytes up to the end of what the inflater has put out. */
  #out: number;
  /** Unpacked bytes of the inflater's that were handed out. */
  #handedOut: number = WINDOW;
  #state: "start" | "member" | "data" | "end" = "start";
  /** Of the member so far; unknown where unpacking has begun in the middle. */
  #sum: { crc: number; size: number } | undefined;

  /** @param read - bytes of the disk to read at once */
  constructor(disk: Disk, from: Checkpoint = BEGINNING, read?: number) {
    this.#source = new Source(disk, read);
    this.#inflater = new Inflater(this.#source);
    this.#from = from;
    this.#out = from.out;
  }

  /** The unpacked byte that {@link next} hands out next. */
  get position(): number {
    return this.#out - (this.#inflater.at - this.#handedOut);
  }

  /** Where it has got to. All that was unpacked must have been handed out. */
  checkpoint(): Checkpoint {
    const inData = this.#state === "data";
    return {
      out: this.#out,
      bit: this.#inflater.bit,
      block: inData ? this.#inflater.state : undefined,
      window: inData ? this.#inflater.window() : BEGINNING.window,
    };
  }

  /**
   * The next bytes, at most `most`, lent until the next call; undefined at the end.
   *
   * @throws DiskError EIO when the file is damaged or cut off
   */
  async next(most: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const inflater = this.#inflater;
    while (this.#handedOut === inflater.at) {
      inflater.taken();
      this.#handedOut = inflater.at;
      if (!(await this.#unpack(signal))) return undefined;
    }
    const bytes = inflater.out.subarray(this.#handedOut, Math.min(inflater.at, this.#handedOut + most));
    this.#handedOut += bytes.length;
    return bytes;
  }

  /** Unpacks some bytes, or takes a step between members; false at the end of the file. */
  async #unpack(signal: AbortSignal | undefined): Promise<boolean> {
    const inflater = this.#inflater;
    signal?.throwIfAborted();
    switch (this.#state) {
      case "end":
        return false;
      case "start":
        await this.#start();
        return true;
      case "member":
        if (!(await atMember(this.#source))) {
          this.#state = "end";
          return false;
        }
        await this.#beginMember(signal);
        return true;
      case "data":
        break;
    }
    const before = inflater.at;
    let stop = inflater.decode();
    while (stop === "input") {
      const filling = this.#source.fill();
      if (filling !== undefined) await filling;
      signal?.throwIfAborted();
      stop = inflater.decode();
    }
    const bytes = inflater.out.subarray(before, inflater.at);
    this.#out += bytes.length;
    if (this.#sum !== undefined) {
      this.#sum.crc = crc32(bytes, this.#sum.crc);
      this.#sum.size += bytes.length;
    }
    if (stop === "end") await this.#endMember();
    return true;
  }

  async #start(): Promise<void> {
    const { bit, block, window, out } = this.#from;
    if (block !== undefined) {
      await this.#inflater.resume(bit, block, window);
      this.#state = "data";
      return;
    }
    this.#source.seek(bit / 8);
    // A file that does not start with a member is none; what follows members may be garbage.
    if (out === 0 && bit === 0) await this.#beginMember(undefined);
    else this.#state = "member";
  }

  async #beginMember(signal: AbortSignal | undefined): Promise<void> {
    await readHeader(this.#source, signal);
    this.#inflater.begin();
    this.#sum = { crc: 0, size: 0 };
    this.#state = "data";
  }

  async #endMember(): Promise<void> {
    const end = this.#source.position;
    const { crc, size } = await readTrailer(this.#source);
    this.#state = "member";
    if (this.#sum === undefined) return;
    if (crc !== this.#sum.crc)
      throw new DiskError("EIO", `gzip: the data before byte ${end} does not have the checksum that the file says`);
    if (size !== this.#sum.size % 2 ** 32) {
      throw new DiskError("EIO", `gzip: ${this.#sum.size} bytes were unpacked before byte ${end}, and the file says another number`);
    }
  }
}
