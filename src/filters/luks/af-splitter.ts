// The anti-forensic splitter: a key is kept in so many stripes that losing any part of them loses the key.
// LUKS1 On-Disk Format Specification 1.2.3, section 2.4.

import { createHash, randomFillSync } from "node:crypto";
import { hashSize } from "./encryption.ts";

/** The key that `material`, of `keySize * stripes` bytes, was made of. */
export function merge(material: Uint8Array, keySize: number, stripes: number, hash: string): Uint8Array {
  const key = mix(material, keySize, stripes, hash);
  add(key, material.subarray(keySize * (stripes - 1), keySize * stripes));
  return key;
}

/** Splits a key into `stripes` times as many bytes. */
export function split(key: Uint8Array, stripes: number, hash: string): Uint8Array {
  const material = new Uint8Array(key.length * stripes);
  const last = material.subarray(key.length * (stripes - 1));
  randomFillSync(material, 0, material.length - key.length);
  const mixed = mix(material, key.length, stripes, hash);
  last.set(key);
  add(last, mixed);
  mixed.fill(0);
  return material;
}

/** What all stripes but the last come to. */
function mix(material: Uint8Array, keySize: number, stripes: number, hash: string): Uint8Array {
  const sum = new Uint8Array(keySize);
  for (let stripe = 0; stripe < stripes - 1; stripe += 1) {
    add(sum, material.subarray(stripe * keySize, (stripe + 1) * keySize));
    diffuse(sum, hash);
  }
  return sum;
}

function diffuse(block: Uint8Array, hash: string): void {
  const size = hashSize(hash, "the splitter");
  const number = Buffer.alloc(4);
  for (let at = 0, index = 0; at < block.length; at += size, index += 1) {
    number.writeUInt32BE(index);
    const piece = block.subarray(at, at + size);
    piece.set(createHash(hash).update(number).update(piece).digest().subarray(0, piece.length));
  }
}

function add(sum: Uint8Array, bytes: Uint8Array): void {
  for (let i = 0; i < sum.length; i += 1) sum[i] = (sum[i] as number) ^ (bytes[i] as number);
}
