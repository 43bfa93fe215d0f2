// Secrets, when they are needed.

import { DiskError, type Secret } from "diskwright";

/** The bytes of a secret. Throws EINVAL, without showing it, when it is none. */
export async function secretBytes(secret: Secret, name: string): Promise<Uint8Array> {
  const value: unknown = typeof secret === "function" ? await secret() : secret;
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof Uint8Array) return value;
  throw new DiskError("EINVAL", `${name}: expected a string, a Uint8Array or a function that answers with one, not ${typeof value}`);
}

/** A secret as text. */
export async function secretText(secret: Secret, name: string): Promise<string> {
  return new TextDecoder().decode(await secretBytes(secret, name));
}
