// Reading the compressed file: any range of any disk, also of one that has to be read in whole sectors.

import { setImmediate } from "node:timers/promises";
import type { Disk } from "diskwright";

/** Bytes that are read at once: what a server surely takes. */
const PIECE = 1024 * 1024;

/** Reads a range into a buffer of its own. */
export async function readRange(disk: Disk, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const sector = disk.blockSize?.minimum ?? 1;
  const start = Math.floor(offset / sector) * sector;
  const end = Math.min(Math.ceil((offset + length) / sector) * sector, Number(disk.size));
  const bytes = new Uint8Array(end - start);
  const piece = Math.min(PIECE, Math.floor((disk.blockSize?.maximum ?? PIECE) / sector) * sector);
  for (let at = 0; at < bytes.length; at += piece) {
    const answer = disk.read(bytes.subarray(at, at + piece), BigInt(start + at));
    if (answer !== undefined) await answer;
  }
  return start === offset && bytes.length === length ? bytes : bytes.slice(offset - start, offset - start + length);
}

/** Reads a file from its end towards its start, mostly small pieces: each is looked for in what was read last. */
export class Backwards {
  readonly #disk: Disk;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const inside = offset >= this.#start && offset + length <= this.#start + this.#window.length;
    if (!inside) {
      // A file may be made of millions of streams: everybody else gets a turn now and then.
      await setImmediate();
      const start = Math.max(0, Math.min(offset, offset + length - 64 * 1024));
      this.#window = await readRange(this.#disk, start, offset + length - start);
      this.#start = start;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }
}
