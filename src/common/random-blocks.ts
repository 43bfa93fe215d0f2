// Random bytes that are the same each time, at any place of a disk: made by the block, from a seed and the block's number. Not for secrets.

import { randomInt } from "node:crypto";
import { DiskError } from "../contract/error.ts";

/** Bytes of a block. */
export const BLOCK: number = 4096;

const WORDS = BLOCK / 4;

/**
 * Checks a seed, or draws one.
 *
 * @throws DiskError EINVAL when it is no whole number from 0 on
 */
export function toSeed(seed: number | undefined): number {
  if (seed === undefined) return randomInt(2 ** 48 - 1);
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw new DiskError("EINVAL", `seed ${String(seed)}: expected a whole number from 0 to 2^53-1`);
}

/** 32 random bits that belong to a number of up to 53 bits. The mixing is that of MurmurHash3's finalizer (Austin Appleby, public domain). */
export function hash(seed: number, number: number): number {
  let h = mix(seed | 0) ^ Math.floor(seed / 2 ** 32);
  h = mix(h ^ (number | 0));
  return mix(h ^ Math.floor(number / 2 ** 32)) >>> 0;
}

function mix(bits: number): number {
  let h = (bits + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The bytes of blocks, made when they are asked for; the last one made is kept. */
export class RandomBlocks {
  readonly #seed: number;
  readonly #words = new Uint32Array(WORDS);
  readonly #bytes: Buffer = Buffer.from(this.#words.buffer);
  #block = -1;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** The bytes of a block, for as long as no other is asked for. */
  get(block: number): Buffer {
    if (block !== this.#block) {
      this.#make(block);
      this.#block = block;
    }
    return this.#bytes;
  }

  /** Four words of state, as in xoshiro128** (David Blackman and Sebastiano Vigna, public domain), without its multiplications: 4 GB/s. */
  #make(block: number): void {
    const words = this.#words;
    let a = hash(this.#seed, block);
    let b = mix(a ^ 0x2545f491);
    let c = mix(b ^ 0x4f6cdd1d);
    // Not all of the state may be zero.
    let d = mix(c) | 1;
    for (let i = 0; i < WORDS; i += 1) {
      words[i] = a + d;
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
    }
  }
}

/**
 * Checks a write to a disk that takes only what is there: `expected`, from byte `from` on, against the bytes of `source` from `start` to `end`.
 *
 * @param offset - where the source belongs on the disk
 * @throws DiskError EIO with the place of the first byte that differs
 */
export function checkSame(expected: Buffer, from: number, source: Uint8Array, start: number, end: number, offset: bigint): void {
  if (expected.compare(source, start, end, from, from + end - start) === 0) return;
  let at = start;
  while (source[at] === expected[from + at - start]) at += 1;
  throw new DiskError("EIO", "what is written is not what is there", { offset: offset + BigInt(at) });
}
