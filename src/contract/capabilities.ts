// What a connection can do, and whether what it says of itself is possible.

import type { BlockSize, Connection } from "./connection.ts";
import type { Capabilities } from "./disk.ts";
import { DiskError } from "./error.ts";
import { MAX_SIZE } from "./size.ts";

/** Computes what a completed disk can do from the methods and traits of its connection. */
export function capabilitiesOf(connection: Connection): Capabilities {
  const { traits = {} } = connection;
  const write = connection.write !== undefined;
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
    fastZero: zero && (traits.fastZero ?? false),
    trimZeroes: write && (traits.trimZeroes ?? false),
    multiConn: traits.multiConn ?? false,
    rotational: traits.rotational ?? false,
    cache: traits.cache === "native" && connection.cache === undefined ? "emulate" : (traits.cache ?? (connection.cache ? "native" : "emulate")),
  });
}

/** Throws EINVAL when a connection says something impossible of itself. */
export function checkShape(connection: Connection): void {
  const { size, read, blockSize, description, contexts = [], traits = {} } = connection;
  if (typeof size !== "bigint" || size < 0n || size > MAX_SIZE) {
    throw refuse(`size ${String(size)} (a ${typeof size}): expected a bigint from 0n to 2n ** 63n - 1n`);
  }
  if (typeof read !== "function") throw refuse("no read(): every disk can be read");
  if (blockSize !== undefined) checkBlockSize(blockSize);
  if (description !== undefined && Buffer.byteLength(description) > 4096) throw refuse("a description of more than 4096 bytes");
  if (traits.fua === "emulate" && connection.flush === undefined) throw refuse('traits.fua "emulate" without a flush() to emulate it by');
  for (const { name } of contexts) {
    if (!/^[^:\0]+:[^\0]*$/.test(name) || Buffer.byteLength(name) > 4096 || name.startsWith("base:")) {
      throw refuse(`a context named ${JSON.stringify(name)}: expected namespace:leaf, at most 4096 bytes, and base: is taken`);
    }
  }
}

function checkBlockSize({ minimum, preferred, maximum }: BlockSize): void {
  const powerOfTwo = (n: number): boolean => Number.isInteger(n) && n > 0 && Number.isInteger(Math.log2(n));
  if (!powerOfTwo(minimum) || minimum > 65536) throw refuse(`blockSize.minimum ${minimum}: expected a power of two from 1 to 65536`);
  if (!powerOfTwo(preferred) || preferred < 512 || preferred < minimum || preferred > 2 ** 31) {
    throw refuse(`blockSize.preferred ${preferred}: expected a power of two from 512, at least the minimum (${minimum})`);
  }
  if (!Number.isInteger(maximum) || maximum < preferred || maximum > 0xffffffff || (maximum % minimum !== 0 && maximum !== 0xffffffff)) {
    throw refuse(`blockSize.maximum ${maximum}: expected a multiple of the minimum (${minimum}), at least preferred (${preferred}), at most 4294967295`);
  }
}

function refuse(what: string): DiskError {
  return new DiskError("EINVAL", `a plugin opened a disk with ${what}`);
}
