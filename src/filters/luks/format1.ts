// Making a header of LUKS1.

import { randomBytes } from "node:crypto";
import type { Encryption } from "./encryption.ts";
import type { Digest, Pbkdf2 } from "./header.ts";
import { areaSize, at1, HEADER1_SIZE, inSlot1, MAGIC, SLOT_ACTIVE, SLOT_DISABLED, SLOTS } from "./header1.ts";
import { digestOf } from "./kdf.ts";
import { refused } from "./refused.ts";
import { sealKey } from "./seal-key.ts";

/** What a header of LUKS1 is made of. */
export interface Format1 {
  readonly encryption: Encryption;
  readonly kdf: Pbkdf2;
  readonly stripes: number;
  readonly uuid: string;
  /** Bytes from the start of the disk: a multiple of 512. */
  readonly payloadOffset: bigint;
}

/** The iterations of the digest: the key is random, so they need not be many. */
const DIGEST_ITERATIONS = 100_000;
const SECTOR = 512;
/** Keyslots begin at multiples of this, the first behind the header. */
const ALIGNMENT = 4096;

/** What is to be written, by where it goes. The rest of the range up to the payload is zero. */
export async function format1(format: Format1, passphrase: Uint8Array, key: Uint8Array): Promise<Map<bigint, Uint8Array>> {
  const { encryption, kdf, stripes } = format;
  const slotSize = Math.ceil(areaSize(key.length, stripes) / ALIGNMENT) * ALIGNMENT;
  const end = BigInt(ALIGNMENT + SLOTS * slotSize);
  if (format.payloadOffset < end) throw refused(`payloadOffset ${format.payloadOffset}: the keyslots end at ${end}`);
  const iterations = Math.min(kdf.iterations, DIGEST_ITERATIONS);
  const digest: Digest = { type: "pbkdf2", hash: kdf.hash, iterations, salt: randomBytes(32), value: new Uint8Array(20) };
  const header = encode(format, slotSize, digest, await digestOf(digest, key));
  const material = await sealKey({ kdf, encryption, stripes, splitHash: kdf.hash }, passphrase, key, {});
  // The header last: without it there is no disk yet.
  return new Map([
    [BigInt(ALIGNMENT), material],
    [0n, header],
  ]);
}

function encode(
  { encryption, kdf, stripes, uuid, payloadOffset }: Format1,
  slotSize: number,
  digest: Digest,
  value: Uint8Array,
): Uint8Array {
  const header = Buffer.alloc(HEADER1_SIZE);
  const [cipher, ...mode] = encryption.name.split("-");
  header.set(MAGIC);
  header.writeUInt16BE(1, at1.version);
  header.write(cipher as string, at1.cipherName);
  header.write(mode.join("-"), at1.cipherMode);
  header.write(kdf.hash, at1.hash);
  header.writeUInt32BE(Number(payloadOffset / BigInt(SECTOR)), at1.payloadOffset);
  header.writeUInt32BE(encryption.keySize, at1.keySize);
  header.set(value, at1.digest);
  header.set(digest.salt, at1.digestSalt);
  header.writeUInt32BE(digest.iterations, at1.digestIterations);
  header.write(uuid, at1.uuid);
  for (let id = 0; id < SLOTS; id += 1) {
    const slot = at1.slots + id * at1.slotSize;
    header.writeUInt32BE(id === 0 ? SLOT_ACTIVE : SLOT_DISABLED, slot + inSlot1.state);
    header.writeUInt32BE((ALIGNMENT + id * slotSize) / SECTOR, slot + inSlot1.offset);
    header.writeUInt32BE(stripes, slot + inSlot1.stripes);
  }
  header.writeUInt32BE(kdf.iterations, at1.slots + inSlot1.iterations);
  header.set(kdf.salt, at1.slots + inSlot1.salt);
  return header;
}
