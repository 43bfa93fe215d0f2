// What the headers of LUKS1 and LUKS2 have in common, once every field of them has been checked.

import type { Encryption } from "./encryption.ts";

/** How a key is derived of a passphrase. */
export type Kdf = Pbkdf2 | Argon2;

export interface Pbkdf2 {
  readonly type: "pbkdf2";
  readonly hash: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
}

export interface Argon2 {
  readonly type: "argon2i" | "argon2id";
  readonly passes: number;
  /** KiB. */
  readonly memory: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
}

/** Tells the right key from a wrong one: what PBKDF2 makes of it. */
export interface Digest extends Pbkdf2 {
  readonly value: Uint8Array;
}

/** Where a keyslot keeps the volume key, split and encrypted with what is derived of the passphrase. */
export interface Keyslot {
  readonly id: number;
  /** LUKS2: 2 is tried first, 0 only when it is asked for. */
  readonly priority: 0 | 1 | 2;
  /** Bytes of the volume key. */
  readonly keySize: number;
  readonly kdf: Kdf;
  readonly stripes: number;
  /** The hash of the anti-forensic splitter. */
  readonly splitHash: string;
  /** Bytes from the start of the disk. */
  readonly offset: bigint;
  readonly encryption: Encryption;
  readonly digest: Digest;
}

/** A part of the volume. They follow each other without a gap. */
export interface Segment {
  /** Bytes from the start of the disk. */
  readonly offset: bigint;
  /** Bytes: whole sectors. */
  readonly length: bigint;
  /** The number that the first sector has in its IV. */
  readonly firstSector: bigint;
  readonly sectorSize: number;
  readonly encryption: Encryption;
  readonly digest: Digest;
}

export interface LuksHeader {
  readonly version: 1 | 2;
  readonly uuid: string;
  /** LUKS2: a name for people; may be empty. */
  readonly label: string;
  /** Those that are in use. */
  readonly keyslots: readonly Keyslot[];
  /** Those that are in use and not supported, with the reason. */
  readonly unusable?: ReadonlyMap<number, string>;
  readonly segments: readonly Segment[];
  /** The bytes that all this is from: the same bytes, the same volume. */
  readonly bytes: Uint8Array;
}
