// Passphrases and the like as an app hands them over: the value itself, or a function that fetches it when it is needed.

import type { Awaitable } from "../contract/awaitable.ts";
import { DiskError } from "../contract/error.ts";

/**
 * A passphrase, password or key: text (its UTF-8 bytes count), bytes, or a function that fetches it when it is needed, from a keyring for
 * example. What is asked for with a function need not be kept in memory by the app.
 */
export type Secret = string | Uint8Array | (() => Awaitable<string | Uint8Array>);

/**
 * Checks that `secret` can be one, for those who write without a type checker. Its value is neither looked at nor shown.
 *
 * @param name - what it is the secret of, for the error's text
 * @throws DiskError EINVAL when it is something else
 */
export function assertSecret(secret: Secret, name: string): Secret {
  if (typeof secret === "string" || secret instanceof Uint8Array || typeof secret === "function") return secret;
  throw notSecret(secret, name);
}

/**
 * The bytes of a secret: always a copy, which its user may overwrite once it has done its duty.
 *
 * @param name - what it is the secret of, for the error's text; the secret itself is never in it
 * @throws DiskError EINVAL when it is no secret; what the function throws
 * @example
 * ```ts
 * const passphrase = await readSecret(myOptions.passphrase, "passphrase");
 * try {
 *   myUnlock(passphrase);
 * } finally {
 *   passphrase.fill(0);
 * }
 * ```
 */
export async function readSecret(secret: Secret, name: string): Promise<Uint8Array> {
  const value: unknown = typeof secret === "function" ? await secret() : secret;
  // Not Buffer.from(text): short ones would lie in the pool that all of the process shares.
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof Uint8Array) return Uint8Array.prototype.slice.call(value);
  throw notSecret(value, name);
}

/** Says of what kind the value is, and nothing more: a number may be a PIN. */
function notSecret(value: unknown, name: string): DiskError {
  const kind = value === null ? "null" : typeof value;
  return new DiskError("EINVAL", `${name}: expected a string, a Uint8Array or a function that answers with one, not ${kind}`);
}
