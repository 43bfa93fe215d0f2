// AES in XTS mode (IEEE 1619), for many sectors at a time.

import { type Cipher, createDecipheriv, type Decipher } from "node:crypto";
import type { SectorCipher } from "./sector-cipher.ts";
import { blockCipher, type SectorIvs } from "./sector-ivs.ts";
import { CHUNK, type SectorKernel } from "./sector-kernel.ts";

/** A key of two halves: the first is that of the content, the second that of the tweaks. */
export class XtsCipher implements SectorCipher {
  readonly sectorSize: number;
  readonly #kernel: SectorKernel;
  readonly #ivs: SectorIvs;
  readonly #tweak: Cipher;
  readonly #encrypt: Cipher;
  readonly #decrypt: Decipher;

  constructor(key: Uint8Array, kernel: SectorKernel, ivs: SectorIvs) {
    const half = key.length / 2;
    const content = key.subarray(0, half);
    this.sectorSize = kernel.sectorSize;
    this.#kernel = kernel;
    this.#ivs = ivs;
    this.#tweak = blockCipher(key.subarray(half));
    this.#encrypt = blockCipher(content);
    this.#decrypt = createDecipheriv(`aes-${half * 8}-ecb`, content, null).setAutoPadding(false);
  }

  encrypt(target: Uint8Array, source: Uint8Array, sector: bigint): void {
    this.#run(this.#encrypt, target, source, sector);
  }

  decrypt(target: Uint8Array, source: Uint8Array, sector: bigint): void {
    this.#run(this.#decrypt, target, source, sector);
  }

  /** Fills `ivs` with those of consecutive sectors, for who encrypts or decrypts them elsewhere. */
  writeIvs(ivs: Uint8Array, sector: bigint): void {
    const { sectorSize } = this;
    const most = CHUNK / sectorSize;
    for (let done = 0; done < ivs.length / 16; done += most) {
      const count = Math.min(most, ivs.length / 16 - done);
      this.#ivs.write(sector + BigInt((done * sectorSize) / 512), count);
      ivs.set(this.#kernel.ivs.subarray(0, count * 16), done * 16);
    }
  }

  wipe(): void {
    this.#kernel.wipe();
  }

  #run(cipher: Cipher | Decipher, target: Uint8Array, source: Uint8Array, sector: bigint): void {
    const kernel = this.#kernel;
    const { data, ivs, sectorSize } = kernel;
    for (let at = 0; at < source.length; at += CHUNK) {
      const length = Math.min(CHUNK, source.length - at);
      const count = length / sectorSize;
      this.#ivs.write(sector + BigInt(at / 512), count);
      ivs.set(this.#tweak.update(ivs.subarray(0, count * 16)));
      data.set(length === source.length ? source : source.subarray(at, at + length));
      kernel.tweak(count);
      data.set(cipher.update(data.subarray(0, length)));
      kernel.addStream(length);
      target.set(data.subarray(0, length), at);
    }
  }
}
