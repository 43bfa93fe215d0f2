// Making the content of a keyslot: the volume key, split and encrypted with what is derived of a passphrase.

import { split } from "./af-splitter.ts";
import type { Keyslot } from "./header.ts";
import { areaSize } from "./header1.ts";
import { type DeriveOptions, derive } from "./kdf.ts";
import { sectorCipher } from "./sector-cipher.ts";

/** What goes into a keyslot's area: whole sectors. */
export async function sealKey(
  { kdf, encryption, stripes, splitHash }: Pick<Keyslot, "kdf" | "encryption" | "stripes" | "splitHash">,
  passphrase: Uint8Array,
  key: Uint8Array,
  options: Partial<DeriveOptions>,
): Promise<Uint8Array> {
  const areaKey = await derive(kdf, passphrase, encryption.keySize, { maxMemory: 2n ** 32n, ...options });
  const material = new Uint8Array(areaSize(key.length, stripes));
  const shares = split(key, stripes, splitHash);
  material.set(shares);
  shares.fill(0);
  const cipher = sectorCipher(encryption, areaKey, 512);
  areaKey.fill(0);
  cipher.encrypt(material, material, 0n);
  cipher.wipe();
  return material;
}
