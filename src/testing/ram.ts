// Disks in memory that filters are tested over: one that can do everything, and one that a class makes and that can do little.

import type { Connection, Extent, Plugin, WriteFlags } from "../contract/index.ts";

/** Bytes that {@link Ram} reports as one extent or another. */
const BLOCK = 512;
const zeroes = new Uint8Array(BLOCK);

/** A disk in memory that shows what happened to it. */
export interface Ram extends Plugin {
  /** What it holds: what is read. */
  readonly bytes: Uint8Array;
  /** What it would hold after a power cut: what was flushed, or written with FUA. */
  readonly stable: Uint8Array;
  /** The disk as it would be found after a power cut now. */
  afterPowerCut(): Ram;
}

/**
 * A disk in memory that can do everything natively, lends its bytes, and reports blocks of zeroes as holes. Every client sees the same bytes.
 *
 * @param content - how many bytes, all zero, or which ones (they are copied)
 * @param options - `readonly`: it cannot be written
 * @example What a filter does to a disk that can do everything, and what reaches that
 * ```ts
 * const below = ram(Buffer.from("hello world"));
 * await using disk = await openDisk(pipe(below, myFilter()));
 * await disk.write(Buffer.from("J"), 0n);
 * assert.equal(Buffer.from(below.bytes).toString(), "Jello world");
 * ```
 */
export function ram(content: number | Uint8Array, options: { readonly readonly?: boolean } = {}): Ram {
  // A Buffer's slice() would be the same memory.
  const bytes = typeof content === "number" ? new Uint8Array(content) : Uint8Array.from(content);
  const stable = Uint8Array.from(bytes);
  const wipe = (offset: bigint, length: bigint, flags: WriteFlags): void => {
    bytes.fill(0, Number(offset), Number(offset + length));
    persist(Number(offset), Number(length), flags);
  };
  const persist = (offset: number, length: number, { fua }: WriteFlags): void => {
    if (fua) stable.set(bytes.subarray(offset, offset + length), offset);
  };
  const connection: Connection = {
    size: BigInt(bytes.length),
    traits: { fua: "native", fastZero: true, trimZeroes: true, multiConn: true },
    read: (target, offset) => target.set(bytes.subarray(Number(offset), Number(offset) + target.length)),
    views: (offset, length) => [bytes.subarray(Number(offset), Number(offset) + length)],
    write(source, offset, flags) {
      bytes.set(source, Number(offset));
      persist(Number(offset), source.length, flags);
    },
    flush: () => stable.set(bytes),
    trim: wipe,
    zero: wipe,
    extents: (offset, length) => blocks(bytes, Number(offset), Number(offset + length)),
    cache: () => undefined,
  };
  const { write: _, ...readOnly } = connection;
  const open = (): Connection => ({ ...(options.readonly ? readOnly : connection) });
  return { name: "ram", bytes, stable, afterPowerCut: () => ram(stable, options), open };
}

function* blocks(bytes: Uint8Array, start: number, end: number): Generator<Extent> {
  for (let at = start - (start % BLOCK); at < end; at += BLOCK) {
    const length = Math.min(BLOCK, bytes.length - at);
    const empty = Buffer.compare(bytes.subarray(at, at + length), zeroes.subarray(0, length)) === 0;
    yield { offset: BigInt(at), length: BigInt(length), hole: empty, zero: empty };
  }
}

/**
 * A disk in memory as an instance of a class, with its methods on the prototype and its bytes in a private field, as a filter that copies
 * a disk's own properties would lose them. It reads, writes and flushes, and answers later.
 *
 * @param content - which bytes (they are copied)
 */
export function classRam(content: Uint8Array): Ram {
  return new ClassRam(content);
}

class ClassRam implements Ram {
  readonly name = "class-ram";
  readonly #bytes: Uint8Array;
  readonly #stable: Uint8Array;

  constructor(content: Uint8Array) {
    this.#bytes = Uint8Array.from(content);
    this.#stable = Uint8Array.from(content);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get stable(): Uint8Array {
    return this.#stable;
  }

  afterPowerCut(): Ram {
    return new ClassRam(this.#stable);
  }

  open(): Connection {
    return new ClassRamConnection(this.#bytes, this.#stable);
  }
}

class ClassRamConnection implements Connection {
  readonly #bytes: Uint8Array;
  readonly #stable: Uint8Array;

  constructor(bytes: Uint8Array, stable: Uint8Array) {
    this.#bytes = bytes;
    this.#stable = stable;
  }

  get size(): bigint {
    return BigInt(this.#bytes.length);
  }

  async read(target: Uint8Array, offset: bigint): Promise<void> {
    await undefined;
    target.set(this.#bytes.subarray(Number(offset), Number(offset) + target.length));
  }

  async write(source: Uint8Array, offset: bigint): Promise<void> {
    await undefined;
    this.#bytes.set(source, Number(offset));
  }

  async flush(): Promise<void> {
    await undefined;
    this.#stable.set(this.#bytes);
  }
}
