// cache=none: what has been read or written is let go from the page cache.

import { everyStep } from "../../contract/every-step.ts";
import type { Native } from "../../native/index.ts";

/** So many written ranges are remembered: they can be let go once the system has written them to the disk, which it does meanwhile. */
const WRITTEN = 8;

interface Range {
  readonly offset: bigint;
  readonly length: bigint;
}

/** Lets ranges of a file go from the page cache. That is a hint: where it fails nothing is lost. */
export class Uncached {
  readonly #fd: number;
  readonly #system: Native;
  readonly #written: Range[] = [];

  constructor(fd: number, system: Native) {
    this.#fd = fd;
    this.#system = system;
  }

  /** A range has been read. */
  async read(offset: bigint, length: number): Promise<void> {
    await this.#drop({ offset, length: BigInt(length) });
  }

  /** A range has been written. The first request makes the system write it out, the second one lets it go. */
  async wrote(offset: bigint, length: number): Promise<void> {
    const range = { offset, length: BigInt(length) };
    this.#written.push(range);
    await this.#drop(range);
    if (this.#written.length > WRITTEN) await this.#drop(this.#written.shift() as Range);
  }

  /** All that was written is on the disk. */
  async flushed(): Promise<void> {
    await everyStep(...this.#written.splice(0).map((range) => () => this.#drop(range)));
  }

  async #drop({ offset, length }: Range): Promise<void> {
    await this.#system.advise(this.#fd, offset, length, "dontneed").catch(() => undefined);
  }
}
