// What a connection can do, and whether what it says of itself is possible.

import type { BlockSize, Connection, Context, Traits } from "./connection.ts";
import type { Capabilities } from "./disk.ts";
import { DiskError } from "./error.ts";
import { MAX_SIZE } from "./size.ts";

/** Computes what a completed disk can do from the methods and traits of its connection. */
export function capabilitiesOf(connection: Connection): Capabilities {
  const { traits = {} } = connection;
  const write = connection.write !== undefined && traits.readonly !== true;
  const flush = connection.flush !== undefined;
  const zero = write && connection.zero !== undefined;
  return Object.freeze({
    write,
    flush,
    trim: write && connection.trim !== undefined,
    zero,
    extents: connection.extents !== undefined,
    views: connection.views !== undefined,
    fua: write ? (traits.fua ?? (flush ? "emulate" : "none")) : "none",
    offersZero: write && (traits.offersZero ?? true),
    fastZero: zero && (traits.fastZero ?? false),
    trimZeroes: write && (traits.trimZeroes ?? false),
    multiConn: traits.multiConn ?? false,
    rotational: traits.rotational ?? false,
    cache: cacheOf(connection, traits.cache),
  });
}

function cacheOf({ cache }: Connection, said: Traits["cache"] | undefined): Traits["cache"] {
  if (said === undefined) return cache === undefined ? "emulate" : "native";
  return said === "native" && cache === undefined ? "emulate" : said;
}

/**
 * Throws EINVAL when a connection says something impossible of itself.
 *
 * @param name - who made it
 */
export function checkShape(connection: Connection, name: string): void {
  const refuse = (what: string): DiskError => new DiskError("EINVAL", `${name} opened ${what}`);
  // Authors without a type checker are told what is wrong here, where it is still clear who did it.
  if (typeof connection !== "object" || connection === null)
    throw refuse(`${String(connection)}: expected a connection, with a size and read()`);
  const { size, blockSize, description, contexts, traits } = connection;
  if (typeof size !== "bigint" || size < 0n || size > MAX_SIZE) {
    throw refuse(`a disk of size ${String(size)} (a ${typeof size}): expected a bigint from 0n to 2n ** 63n - 1n`);
  }
  if (connection.read === undefined) throw refuse("a disk without read(): every disk can be read");
  for (const key of methods) {
    const method: unknown = connection[key];
    if (method !== undefined && typeof method !== "function") throw refuse(`a disk whose ${key} is no function: ${String(method)}`);
  }
  const wrong = wrongBlockSize(blockSize) ?? wrongTraits(traits, connection) ?? wrongContexts(contexts);
  if (wrong !== undefined) throw refuse(`a disk with ${wrong}`);
  if (description !== undefined && (typeof description !== "string" || tooLong(description))) {
    throw refuse("a disk with a description that is no string of at most 4096 bytes");
  }
}

const methods = ["read", "views", "room", "write", "flush", "trim", "zero", "extents", "cache", "close"] as const;

function wrongBlockSize(blockSize: BlockSize | undefined): string | undefined {
  if (blockSize === undefined) return undefined;
  const { minimum, preferred, maximum } = blockSize;
  if (!powerOfTwo(minimum) || minimum > 65536) return `blockSize.minimum ${minimum}: expected a power of two from 1 to 65536`;
  if (!powerOfTwo(preferred) || preferred < 512 || preferred < minimum) {
    return `blockSize.preferred ${preferred}: expected a power of two from 512, at least the minimum (${minimum})`;
  }
  if (!Number.isInteger(maximum) || maximum < preferred || maximum > 0xffffffff || (maximum % minimum !== 0 && maximum !== 0xffffffff)) {
    return `blockSize.maximum ${maximum}: expected a multiple of the minimum (${minimum}), at least preferred (${preferred}), at most 4294967295`;
  }
  return undefined;
}

const words: readonly unknown[] = ["none", "emulate", "native"];

function wrongTraits(traits: Partial<Traits> | undefined, connection: Connection): string | undefined {
  for (const key of ["fua", "cache"] as const) {
    const word = traits?.[key];
    if (word !== undefined && !words.includes(word)) return `traits.${key} ${JSON.stringify(word)}: expected ${words.join(", ")}`;
  }
  if (traits?.fua === "emulate" && connection.flush === undefined) return 'traits.fua "emulate" without a flush() to emulate it by';
  return undefined;
}

function wrongContexts(contexts: readonly Context[] = []): string | undefined {
  const names = new Set<string>();
  for (const { name, extents } of contexts) {
    if (typeof name !== "string" || !/^[^:\0]+:[^\0]*$/.test(name) || tooLong(name) || name.startsWith("base:")) {
      return `a context named ${JSON.stringify(name)}: expected namespace:leaf, at most 4096 bytes, and base: is taken`;
    }
    if (names.has(name)) return `two contexts named ${name}`;
    if (typeof extents !== "function") return `a context ${name} without extents()`;
    names.add(name);
  }
  return undefined;
}

function powerOfTwo(n: number): boolean {
  return Number.isInteger(n) && n > 0 && Number.isInteger(Math.log2(n));
}

function tooLong(text: string): boolean {
  return Buffer.byteLength(text) > 4096;
}
