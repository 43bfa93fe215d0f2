// Finding the volume key: each keyslot that may fit is tried with the passphrase.

import { timingSafeEqual } from "node:crypto";
import type { Disk } from "../../contract/disk.ts";
import { errorCode } from "../../contract/error.ts";
import { merge } from "./af-splitter.ts";
import type { Digest, Keyslot, LuksHeader } from "./header.ts";
import { areaSize } from "./header1.ts";
import { type DeriveOptions, derive, digestOf } from "./kdf.ts";
import { readRange } from "./read-range.ts";
import { locked, refused } from "./refused.ts";
import { sectorCipher } from "./sector-cipher.ts";

/** How a disk is unlocked. */
export interface UnlockOptions extends DeriveOptions {
  /** Only this keyslot is tried. */
  readonly keyslot?: number | undefined;
}

/**
 * The key of each digest that the segments have: of one, unless the disk was being encrypted anew.
 *
 * @throws DiskError EPERM when no keyslot opens with the passphrase
 */
export async function unlock(
  disk: Disk,
  header: LuksHeader,
  passphrase: Uint8Array,
  options: UnlockOptions,
): Promise<Map<Digest, Uint8Array>> {
  const keys = new Map<Digest, Uint8Array>();
  try {
    for (const { digest } of header.segments) {
      if (!keys.has(digest)) keys.set(digest, await unlockDigest(disk, header, digest, passphrase, options));
    }
    return keys;
  } catch (error) {
    for (const key of keys.values()) key.fill(0);
    throw error;
  }
}

async function unlockDigest(
  disk: Disk,
  header: LuksHeader,
  digest: Digest,
  passphrase: Uint8Array,
  options: UnlockOptions,
): Promise<Uint8Array> {
  const keyslots = candidates(header, digest, options.keyslot);
  let tooLarge: unknown;
  for (const keyslot of keyslots) {
    try {
      const key = await openKeyslot(disk, keyslot, passphrase, options);
      if (key !== undefined) return key;
    } catch (error) {
      // Another keyslot may do with less memory.
      if (errorCode(error) !== "ENOMEM") throw error;
      tooLarge ??= error;
    }
  }
  if (tooLarge !== undefined) throw tooLarge;
  const only = options.keyslot ?? (keyslots.length === 1 ? keyslots[0]?.id : undefined);
  const tried = only === undefined ? `none of the ${keyslots.length} keyslots in use opens` : `keyslot ${only} does not open`;
  throw locked(`${tried} with this passphrase${untried(header)}`);
}

/** The keyslots to try, in the order of their priority. */
function candidates(header: LuksHeader, digest: Digest, only: number | undefined): readonly Keyslot[] {
  const keyslots = header.keyslots.filter((keyslot) => keyslot.digest === digest);
  if (only !== undefined) {
    const chosen = keyslots.filter(({ id }) => id === only);
    if (chosen.length > 0) return chosen;
    const reason = header.unusable?.get(only);
    if (reason !== undefined) throw refused(reason);
    throw refused(`keyslot ${only} is not in use: those in use are ${keyslots.map(({ id }) => id).join(", ") || "none"}`);
  }
  const usable = keyslots.filter(({ priority }) => priority > 0).toSorted((a, b) => b.priority - a.priority || a.id - b.id);
  if (usable.length === 0) throw locked(`there is no keyslot to open the disk with${untried(header)}`);
  return usable;
}

/** Which keyslots were passed over. */
function untried({ unusable = new Map() }: LuksHeader): string {
  return [...unusable.values()].map((reason) => `; not tried: ${reason}`).join("");
}

/** The volume key; `undefined` when the passphrase is not that of this keyslot. */
async function openKeyslot(disk: Disk, keyslot: Keyslot, passphrase: Uint8Array, options: UnlockOptions): Promise<Uint8Array | undefined> {
  const { keySize, stripes, encryption, digest } = keyslot;
  const areaKey = await derive(keyslot.kdf, passphrase, encryption.keySize, options);
  const cipher = sectorCipher(encryption, areaKey, 512);
  areaKey.fill(0);
  const material = await readRange(disk, keyslot.offset, areaSize(keySize, stripes), `keyslot ${keyslot.id}`);
  cipher.decrypt(material, material, 0n);
  cipher.wipe();
  const key = merge(material, keySize, stripes, keyslot.splitHash);
  material.fill(0);
  const found = await digestOf(digest, key);
  if (timingSafeEqual(found, digest.value)) return key;
  key.fill(0);
  return undefined;
}
