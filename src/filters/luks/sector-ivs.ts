// From the numbers of sectors to their IVs.

import { type Cipher, createCipheriv, createHash } from "node:crypto";
import type { Encryption } from "./encryption.ts";
import type { SectorKernel } from "./sector-kernel.ts";

/** Where `plain` begins at 0 again. */
const PLAIN = 2n ** 32n;

/** A cipher that changes blocks of 16 bytes each by itself, many at a time. It keeps nothing from one call to the next. */
export function blockCipher(key: Uint8Array): Cipher {
  return createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
}

/** Writes the IVs of consecutive sectors into the kernel. */
export class SectorIvs {
  readonly #kernel: SectorKernel;
  readonly #kind: Encryption["iv"];
  readonly #salt: Cipher | undefined;

  constructor({ iv, essivHash }: Encryption, key: Uint8Array, kernel: SectorKernel) {
    this.#kernel = kernel;
    this.#kind = iv;
    if (essivHash === undefined) return;
    const salt = createHash(essivHash).update(key).digest();
    this.#salt = blockCipher(salt);
    salt.fill(0);
  }

  /**
   * Writes the first `count` of `kernel.ivs`.
   *
   * @param sector - the first, counted in 512 bytes
   */
  write(sector: bigint, count: number): void {
    const kernel = this.#kernel;
    switch (this.#kind) {
      case "plain64":
        return kernel.number(0, count, sector);
      case "plain":
        return this.#plain(sector % PLAIN, count);
      case "plain64be":
        kernel.number(0, count, sector);
        for (let at = 0; at < count * 16; at += 16) kernel.ivs.subarray(at, at + 16).reverse();
        return undefined;
      case "essiv":
        kernel.number(0, count, sector);
        kernel.ivs.set((this.#salt as Cipher).update(kernel.ivs.subarray(0, count * 16)));
    }
  }

  #plain(sector: bigint, count: number): void {
    const step = BigInt(this.#kernel.sectorSize / 512);
    const left = Number((PLAIN - sector + step - 1n) / step);
    this.#kernel.number(0, Math.min(count, left), sector);
    // Sectors and 2^32 are multiples of the step, so that the numbers begin at 0 again.
    if (left < count) this.#kernel.number(left, count, (sector + BigInt(left) * step) % PLAIN);
  }
}
