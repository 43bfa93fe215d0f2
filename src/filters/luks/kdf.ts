// From a passphrase to a key: PBKDF2 in Node's thread pool, Argon2 in threads of its own.

import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { deriveArgon2 } from "./derive-argon2.ts";
import type { Digest, Kdf, Pbkdf2 } from "./header.ts";

const pbkdf2Later = promisify(pbkdf2);

/** How much Argon2 may take, and when it is to stop. */
export interface DeriveOptions {
  /** Bytes. */
  readonly maxMemory: bigint;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Derives `length` bytes of a passphrase.
 *
 * @throws DiskError ENOMEM when there is too little memory for it, or that would be more than `maxMemory`
 */
export async function derive(kdf: Kdf, passphrase: Uint8Array, length: number, options: DeriveOptions): Promise<Uint8Array> {
  options.signal?.throwIfAborted();
  if (kdf.type === "pbkdf2") return derivePbkdf2(kdf, passphrase, length);
  return deriveArgon2(kdf, passphrase, length, options);
}

/** What the digest of a volume key is when it is computed of `key`. */
export function digestOf(digest: Digest, key: Uint8Array): Promise<Uint8Array> {
  return derivePbkdf2(digest, key, digest.value.length);
}

function derivePbkdf2({ hash, iterations, salt }: Pbkdf2, secret: Uint8Array, length: number): Promise<Uint8Array> {
  return pbkdf2Later(secret, salt, iterations, length, hash);
}
