// Sectors encrypted one by one by Node's own ciphers: slow, plain, and what the filter has to agree with.

import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

/** How the reference encrypts. */
export interface Reference {
  readonly cipher: string;
  readonly key: Uint8Array;
  readonly sectorSize?: number;
  readonly firstSector?: bigint;
}

/** Encrypts or decrypts whole sectors. */
export function reference(
  direction: "encrypt" | "decrypt",
  source: Uint8Array,
  { cipher, key, sectorSize = 512, firstSector = 0n }: Reference,
): Uint8Array {
  const [, mode, ivName = ""] = cipher.split("-") as [string, string, string];
  const bits = (mode === "xts" ? key.length / 2 : key.length) * 8;
  const target = new Uint8Array(source.length);
  for (let at = 0; at < source.length; at += sectorSize) {
    const iv = ivOf(ivName, firstSector + BigInt(at / 512), key);
    const make = direction === "encrypt" ? createCipheriv : createDecipheriv;
    const node = make(`aes-${bits}-${mode}`, key, iv).setAutoPadding(false);
    target.set(node.update(source.subarray(at, at + sectorSize)), at);
  }
  return target;
}

function ivOf(name: string, sector: bigint, key: Uint8Array): Uint8Array {
  const iv = Buffer.alloc(16);
  if (name === "plain64be") iv.writeBigUInt64BE(sector, 8);
  else iv.writeBigUInt64LE(name === "plain" ? sector % 2n ** 32n : sector);
  if (!name.startsWith("essiv:")) return iv;
  const salt = createHash(name.slice(6)).update(key).digest();
  return createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null)
    .setAutoPadding(false)
    .update(iv);
}
