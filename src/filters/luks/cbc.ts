// AES in CBC mode, each sector by itself.

import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from "node:crypto";
import type { SectorCipher } from "./sector-cipher.ts";
import type { SectorIvs } from "./sector-ivs.ts";
import { CHUNK, type SectorKernel } from "./sector-kernel.ts";

const BLOCK = 16;

/** Decrypts many sectors at a time; encrypting, where each block needs the one before it, takes a call for each. */
export class CbcCipher implements SectorCipher {
  readonly #kernel: SectorKernel;
  readonly #ivs: SectorIvs;
  readonly #encrypt: Cipher;
  readonly #decrypt: Decipher;
  /** The last block that was encrypted, which the cipher adds to the next one. */
  #last: Uint8Array = new Uint8Array(BLOCK);

  constructor(key: Uint8Array, kernel: SectorKernel, ivs: SectorIvs) {
    const bits = key.length * 8;
    this.#kernel = kernel;
    this.#ivs = ivs;
    this.#encrypt = createCipheriv(`aes-${bits}-cbc`, key, this.#last).setAutoPadding(false);
    this.#decrypt = createDecipheriv(`aes-${bits}-ecb`, key, null).setAutoPadding(false);
  }

  encrypt(target: Uint8Array, source: Uint8Array, sector: bigint): void {
    const { data, ivs, sectorSize } = this.#kernel;
    for (let at = 0; at < source.length; at += CHUNK) {
      const chunk = source.subarray(at, at + CHUNK);
      this.#ivs.write(sector + BigInt(at / 512), chunk.length / sectorSize);
      data.set(chunk);
      for (let start = 0, iv = 0; start < chunk.length; start += sectorSize, iv += BLOCK) {
        // One cipher for all sectors: what it would add of the sector before is taken away in advance, and the IV added.
        for (let i = 0; i < BLOCK; i += 1) data[start + i] = at8(data, start + i) ^ at8(ivs, iv + i) ^ at8(this.#last, i);
        const encrypted = this.#encrypt.update(data.subarray(start, start + sectorSize));
        this.#last = encrypted.subarray(sectorSize - BLOCK);
        target.set(encrypted, at + start);
      }
    }
  }

  decrypt(target: Uint8Array, source: Uint8Array, sector: bigint): void {
    const { data, stream, ivs, sectorSize } = this.#kernel;
    for (let at = 0; at < source.length; at += CHUNK) {
      const chunk = source.subarray(at, at + CHUNK);
      const { length } = chunk;
      this.#ivs.write(sector + BigInt(at / 512), length / sectorSize);
      // To each block the encrypted one before it is added, to the first of a sector its IV.
      stream.set(chunk.subarray(0, length - BLOCK), BLOCK);
      for (let start = 0, iv = 0; start < length; start += sectorSize, iv += BLOCK) stream.set(ivs.subarray(iv, iv + BLOCK), start);
      data.set(this.#decrypt.update(chunk));
      this.#kernel.addStream(length);
      target.set(data.subarray(0, length), at);
    }
  }

  wipe(): void {
    this.#kernel.wipe();
    this.#last.fill(0);
  }
}

function at8(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
