// How much work a header may ask for. Whoever can write one could otherwise keep a server busy, or take its memory, for as long as they like.

import type { Kdf, Pbkdf2 } from "./header.ts";
import { refused } from "./refused.ts";

/** cryptsetup makes what takes two seconds on its machine: three to ten million. This takes some 30 seconds. */
const MAX_ITERATIONS = 100_000_000;
/** Blocks of 1 KiB that Argon2 fills, passes times memory. cryptsetup makes 4 to 16 million. */
const MAX_BLOCKS = 2 ** 27;
const MAX_LANES = 64;

/** Stripes of the anti-forensic splitter. Everybody uses 4000. */
export const MAX_STRIPES = 16_384;

/**
 * Refuses a key derivation that is too much, or none.
 *
 * @param where - which part of the header it is from
 * @throws DiskError EINVAL
 */
export function checkKdf(kdf: Kdf, where: string): void {
  if (kdf.type === "pbkdf2") return checkIterations(kdf, where);
  const { passes, memory, lanes } = kdf;
  if (!(Number.isInteger(lanes) && lanes >= 1 && lanes <= MAX_LANES))
    throw refused(`${where} asks for ${lanes} threads of ${kdf.type}: expected 1 to ${MAX_LANES}`);
  if (memory < 8 * lanes)
    throw refused(`${where} asks for ${memory} KiB of memory: ${kdf.type} takes at least 8 for each of ${lanes} threads`);
  if (!(Number.isInteger(passes) && passes >= 1 && passes * memory <= MAX_BLOCKS)) {
    throw refused(
      `${where} asks for ${passes} passes of ${kdf.type} over ${memory} KiB: at most ${MAX_BLOCKS} KiB in all are gone through`,
    );
  }
}

/** As {@link checkKdf}, for PBKDF2. */
export function checkIterations({ iterations }: Pick<Pbkdf2, "iterations">, where: string): void {
  if (!(iterations >= 1 && iterations <= MAX_ITERATIONS)) {
    throw refused(`${where} asks for ${iterations} iterations of PBKDF2: expected 1 to ${MAX_ITERATIONS}`);
  }
}
