// Encrypts and decrypts whole sectors by their numbers.

import { CbcCipher } from "./cbc.ts";
import type { Encryption } from "./encryption.ts";
import { SectorIvs } from "./sector-ivs.ts";
import { SectorKernel } from "./sector-kernel.ts";
import { XtsCipher } from "./xts.ts";

/** Encrypts and decrypts whole sectors. `target` and `source` are of the same length and may be the same. */
export interface SectorCipher {
  /** @param sector - of the first byte, counted in 512 bytes whatever the size of a sector */
  encrypt(target: Uint8Array, source: Uint8Array, sector: bigint): void;
  decrypt(target: Uint8Array, source: Uint8Array, sector: bigint): void;
  /** Overwrites what is left of keys and content. */
  wipe(): void;
}

/**
 * Makes the cipher of an encryption.
 *
 * @param key - `encryption.keySize` bytes; its own after the call
 * @param sectorSize - bytes: a power of two, 512 to 4096
 */
export function sectorCipher(encryption: Encryption, key: Uint8Array, sectorSize: number): SectorCipher {
  const kernel = new SectorKernel(sectorSize);
  const ivs = new SectorIvs(encryption, key, kernel);
  return encryption.mode === "xts" ? new XtsCipher(key, kernel, ivs) : new CbcCipher(key, kernel, ivs);
}
