// Argon2 for keyslots. Node has one from 24.7 on, which works in one thread: it is used where more would be of no use. On two processors ours takes
// 2.7 s for 1 GiB in four passes.

import crypto from "node:crypto";
import { availableParallelism } from "node:os";
import { DiskError } from "../../contract/error.ts";
import { argon2Own } from "./argon2/argon2.ts";
import type { Argon2 } from "./header.ts";
import type { DeriveOptions } from "./kdf.ts";

/** As far as it is used here, as the types of Node 20 do not have it. */
type NodeArgon2 = (
  algorithm: string,
  parameters: {
    readonly message: Uint8Array;
    readonly nonce: Uint8Array;
    readonly parallelism: number;
    readonly tagLength: number;
    readonly memory: number;
    readonly passes: number;
  },
  done: (error: Error | null, tag: Uint8Array) => void,
) => void;

/**
 * Derives a key by Argon2.
 *
 * @throws DiskError ENOMEM when that takes more memory than it may, or than there is
 */
export async function deriveArgon2(
  kdf: Argon2,
  passphrase: Uint8Array,
  length: number,
  { maxMemory, signal }: DeriveOptions,
): Promise<Uint8Array> {
  const { type, passes, memory, lanes, salt } = kdf;
  if (BigInt(memory) * 1024n > maxMemory) {
    throw new DiskError("ENOMEM", `luks: the keyslot takes ${memory} KiB of memory to open, and maxMemory is ${maxMemory / 1024n} KiB`);
  }
  const { argon2 } = crypto as unknown as { readonly argon2?: NodeArgon2 };
  if (argon2 === undefined || Math.min(lanes, availableParallelism()) > 1)
    return argon2Own({ type, passes, memory, lanes, password: passphrase, salt, length }, signal);
  return new Promise((resolve, reject) => {
    argon2(type, { message: passphrase, nonce: salt, parallelism: lanes, tagLength: length, memory, passes }, (error, tag) => {
      if (error === null) resolve(tag);
      else reject(error);
    });
  });
}
