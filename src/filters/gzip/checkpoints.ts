// The index of a gzip file: places from which it can be unpacked, made by unpacking it once.

import type { Disk } from "../../contract/disk.ts";
import { CHUNK, WINDOW } from "./inflate.ts";
import { BEGINNING, type Checkpoint, GzipStream } from "./stream.ts";

/** Unpacked bytes from one checkpoint to the next, as long as there is memory for it. */
const SPAN = 512 * 1024;
/** Unpacked bytes after which others get their turn: a few milliseconds. */
const TURN = 1024 * 1024;
/** Beside its window. */
const CHECKPOINT = 256;

/** What is known of a file once it has been unpacked. */
export interface Index {
  /** Bytes of the gzip file. */
  readonly packed: bigint;
  /** Bytes unpacked. */
  readonly size: bigint;
  readonly checkpoints: Checkpoints;
}

/** Checkpoints in order. When they get too many every other is dropped, and those that follow are twice as far apart. */
export class Checkpoints {
  #list: Checkpoint[] = [BEGINNING];
  #span: number = SPAN;
  readonly #most: number;

  /** @param memory - bytes that they may take */
  constructor(memory: number) {
    this.#most = Math.max(2, Math.floor(memory / (WINDOW + CHECKPOINT)));
  }

  /** How many there are. */
  get count(): number {
    return this.#list.length;
  }

  /** Unpacked bytes between two of them, about. */
  get span(): number {
    return this.#span;
  }

  /** Whether it is time for one. */
  due(out: number): boolean {
    return out - (this.#list.at(-1) as Checkpoint).out >= this.#span;
  }

  add(checkpoint: Checkpoint): void {
    this.#list.push(checkpoint);
    if (this.#list.length <= this.#most) return;
    this.#list = this.#list.filter((_, i) => i % 2 === 0);
    this.#span *= 2;
  }

  /** The last one at or before an unpacked byte. */
  before(out: number): Checkpoint {
    let low = 0;
    let high = this.#list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#list[middle] as Checkpoint).out <= out) low = middle;
      else high = middle - 1;
    }
    return this.#list[low] as Checkpoint;
  }
}

/**
 * Unpacks a file once, from front to back, with every checksum verified.
 *
 * @param memory - bytes that the index may take
 * @throws DiskError EIO when the file is damaged
 */
export async function makeIndex(disk: Disk, memory: number, signal: AbortSignal): Promise<Index> {
  const checkpoints = new Checkpoints(memory);
  const stream = new GzipStream(disk);
  let sinceTurn = 0;
  for (let bytes = await stream.next(CHUNK * 2, signal); bytes !== undefined; bytes = await stream.next(CHUNK * 2, signal)) {
    if (checkpoints.due(stream.position)) checkpoints.add(stream.checkpoint());
    sinceTurn += bytes.length;
    if (sinceTurn < TURN) continue;
    sinceTurn = 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return { packed: disk.size, size: BigInt(stream.position), checkpoints };
}
