// What a LUKS header calls the encryption of its sectors, such as aes-xts-plain64: the cipher, its mode, and how a sector's number becomes its IV.

import { refused } from "./refused.ts";

/** How sectors are encrypted. */
export interface Encryption {
  /** As the header has it: `aes-xts-plain64`. */
  readonly name: string;
  readonly mode: "xts" | "cbc";
  /** Bytes. XTS takes two AES keys. */
  readonly keySize: number;
  /** How a sector's number becomes its IV. */
  readonly iv: "plain" | "plain64" | "plain64be" | "essiv";
  /** ESSIV encrypts the number with this hash of the key. */
  readonly essivHash?: string;
}

const keySizes: Readonly<Record<Encryption["mode"], readonly number[]>> = { xts: [32, 64], cbc: [16, 24, 32] };

/** Hashes by their names in LUKS headers, with their sizes in bytes. */
const hashes: ReadonlyMap<string, number> = new Map([
  ["sha1", 20],
  ["sha224", 28],
  ["sha256", 32],
  ["sha384", 48],
  ["sha512", 64],
  ["ripemd160", 20],
]);

/**
 * Reads the name of an encryption.
 *
 * @param keySize - bytes of the key
 * @param where - which part of the header it is from, for the error's text
 * @throws DiskError EINVAL when it is not supported
 */
export function parseEncryption(name: string, keySize: number, where: string): Encryption {
  const match = /^([a-z0-9_]+)-(xts|cbc)-(plain64be|plain64|plain|essiv:([a-z0-9]+))$/.exec(name);
  if (match?.[1] !== "aes")
    throw refused(
      `${where} is encrypted with ${quoted(name)}: supported are aes-xts and aes-cbc with plain, plain64, plain64be or essiv:HASH`,
    );
  const mode = match[2] as Encryption["mode"];
  if (!keySizes[mode].includes(keySize)) {
    throw refused(`${where} has a key of ${keySize * 8} bits for ${name}: it takes ${keySizes[mode].map((size) => size * 8).join(", ")}`);
  }
  const essivHash = match[4];
  if (essivHash === undefined) return { name, mode, keySize, iv: match[3] as "plain" | "plain64" | "plain64be" };
  if (!keySizes.cbc.includes(hashSize(essivHash, where))) {
    throw refused(`${where} is encrypted with ${name}: ${essivHash} does not give an AES key`);
  }
  return { name, mode, keySize, iv: "essiv", essivHash };
}

/**
 * Bytes that a hash gives.
 *
 * @throws DiskError EINVAL when it is not supported
 */
export function hashSize(hash: string, where: string): number {
  const size = hashes.get(hash);
  if (size === undefined) throw refused(`${where} uses the hash ${quoted(hash)}: supported are ${[...hashes.keys()].join(", ")}`);
  return size;
}

/** A text of the header for an error: short, and without what would upset a terminal. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, "?");
}
