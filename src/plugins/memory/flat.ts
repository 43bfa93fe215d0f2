// A memory disk's bytes in one flat buffer, all of it set aside at the start.

import { constants } from "node:buffer";
import type { BlockSize } from "../../contract/connection.ts";
import { DiskError, errorText } from "../../contract/error.ts";
import type { MemoryStore } from "./allocator.ts";
import { put } from "./put.ts";

/** One buffer as long as the disk. */
export class FlatStore implements MemoryStore {
  readonly blockSize: BlockSize = { minimum: 1, preferred: 4096, maximum: 0xffffffff };
  readonly #bytes: Uint8Array;

  /** @throws DiskError ENOMEM when there can be no buffer of that size */
  constructor(size: bigint) {
    if (size > BigInt(constants.MAX_LENGTH)) throw refuse(size, `Node's buffers end at ${constants.MAX_LENGTH} bytes`);
    try {
      this.#bytes = new Uint8Array(Number(size));
    } catch (error) {
      throw refuse(size, errorText(error), error);
    }
  }

  read(target: Uint8Array, offset: bigint): void {
    const start = Number(offset);
    target.set(this.#bytes.subarray(start, start + target.length));
  }

  write(source: Uint8Array, offset: bigint): void {
    put(source, this.#bytes, Number(offset));
  }

  room(offset: bigint, length: number): Uint8Array {
    const start = Number(offset);
    return this.#bytes.subarray(start, start + length);
  }

  zero(offset: bigint, length: bigint): void {
    this.#bytes.fill(0, Number(offset), Number(offset + length));
  }

  views(offset: bigint, length: number): readonly Uint8Array[] {
    const start = Number(offset);
    return [this.#bytes.subarray(start, start + length)];
  }
}

function refuse(size: bigint, why: string, cause?: unknown): DiskError {
  return new DiskError(
    "ENOMEM",
    `cannot set aside ${size} bytes of memory at once (${why}): use the allocator "sparse", which takes memory as it is written`,
    {
      cause,
    },
  );
}
