// Argon2 (RFC 9106).
import type { Argon2 } from "./header.ts";
import type { DeriveOptions } from "./kdf.ts";
import { refused } from "./refused.ts";
export async function argon2(_kdf: Argon2, _passphrase: Uint8Array, _length: number, _options: DeriveOptions): Promise<Uint8Array> {
  throw refused("argon2 is still to come");
}
