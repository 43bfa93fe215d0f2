// Making a header of LUKS2.

import { randomBytes } from "node:crypto";
import type { Encryption } from "./encryption.ts";
import { hashSize } from "./encryption.ts";
import type { Digest, Kdf } from "./header.ts";
import { areaSize } from "./header1.ts";
import { BINARY_SIZE, encodeHeader2 } from "./header2.ts";
import { digestOf } from "./kdf.ts";
import { refused } from "./refused.ts";
import { sealKey } from "./seal-key.ts";

/** What a header of LUKS2 is made of. */
export interface Format2 {
  readonly encryption: Encryption;
  readonly kdf: Kdf;
  readonly hash: string;
  readonly stripes: number;
  readonly label: string;
  readonly uuid: string;
  readonly sectorSize: number;
  /** Bytes from the start of the disk: a multiple of 4096. */
  readonly payloadOffset: bigint;
}

/** Bytes of one of the two copies. */
const HEADER_SIZE = 16_384;
const ALIGNMENT = 4096;
const DIGEST_ITERATIONS = 100_000;

/** What is to be written, by where it goes. The rest of the range up to the payload is zero. */
export async function format2(format: Format2, passphrase: Uint8Array, key: Uint8Array): Promise<Map<bigint, Uint8Array>> {
  const { encryption, kdf, hash, stripes, label, uuid, payloadOffset } = format;
  const areaStart = 2 * HEADER_SIZE;
  const size = Math.ceil(areaSize(key.length, stripes) / ALIGNMENT) * ALIGNMENT;
  if (payloadOffset < areaStart + size) throw refused(`payloadOffset ${payloadOffset}: the keyslot ends at ${areaStart + size}`);
  const iterations = kdf.type === "pbkdf2" ? Math.min(kdf.iterations, DIGEST_ITERATIONS) : DIGEST_ITERATIONS;
  const digest: Digest = { type: "pbkdf2", hash, iterations, salt: randomBytes(32), value: new Uint8Array(hashSize(hash, "the digest")) };
  const json = JSON.stringify(metadata(format, areaStart, size, { ...digest, value: await digestOf(digest, key) }));
  const header = { size: HEADER_SIZE, sequence: 1n, label, uuid, json };
  const material = await sealKey({ kdf, encryption, stripes, splitHash: hash }, passphrase, key, {});
  // The first header last: without it there is no disk yet.
  return new Map([
    [BigInt(areaStart), material],
    [BigInt(HEADER_SIZE), encodeHeader2(header, "second")],
    [0n, encodeHeader2(header, "first")],
  ]);
}

function metadata(
  { encryption, kdf, hash, stripes, sectorSize, payloadOffset }: Format2,
  areaStart: number,
  size: number,
  digest: Digest,
): object {
  const { name, keySize } = encryption;
  return {
    keyslots: {
      0: {
        type: "luks2",
        key_size: keySize,
        af: { type: "luks1", stripes, hash },
        area: { type: "raw", offset: String(areaStart), size: String(size), encryption: name, key_size: keySize },
        kdf: kdfFields(kdf),
      },
    },
    tokens: {},
    segments: {
      0: { type: "crypt", offset: String(payloadOffset), size: "dynamic", iv_tweak: "0", encryption: name, sector_size: sectorSize },
    },
    digests: {
      0: {
        type: "pbkdf2",
        keyslots: ["0"],
        segments: ["0"],
        hash,
        iterations: digest.iterations,
        salt: base64(digest.salt),
        digest: base64(digest.value),
      },
    },
    config: { json_size: String(HEADER_SIZE - BINARY_SIZE), keyslots_size: String(payloadOffset - BigInt(areaStart)) },
  };
}

function kdfFields(kdf: Kdf): object {
  if (kdf.type === "pbkdf2") return { type: kdf.type, hash: kdf.hash, iterations: kdf.iterations, salt: base64(kdf.salt) };
  return { type: kdf.type, time: kdf.passes, memory: kdf.memory, cpus: kdf.lanes, salt: base64(kdf.salt) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
