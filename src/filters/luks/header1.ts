// The header of LUKS1: 592 bytes, big-endian. LUKS1 On-Disk Format Specification 1.2.3, section 3.

import { hashSize, parseEncryption } from "./encryption.ts";
import { overlap, textField } from "./fields.ts";
import type { Digest, Keyslot, LuksHeader } from "./header.ts";
import { checkIterations, MAX_STRIPES } from "./limits.ts";
import { refused } from "./refused.ts";

/** `LUKS`, and two bytes that text does not have. */
export const MAGIC: Uint8Array = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe);
/** Bytes of the header. */
export const HEADER1_SIZE = 592;

export const SLOTS = 8;
export const SLOT_ACTIVE = 0x00ac71f3;
export const SLOT_DISABLED = 0x0000dead;
const SECTOR = 512;

/** Where the fields are. */
export const at1 = {
  version: 6,
  cipherName: 8,
  cipherMode: 40,
  hash: 72,
  payloadOffset: 104,
  keySize: 108,
  digest: 112,
  digestSalt: 132,
  digestIterations: 164,
  uuid: 168,
  slots: 208,
  slotSize: 48,
} as const;

/** Where those of a keyslot are, from its start. */
export const inSlot1 = { state: 0, iterations: 4, salt: 8, offset: 40, stripes: 44 } as const;

/**
 * Reads a header of LUKS1.
 *
 * @param bytes - the start of the disk
 * @param size - bytes of the disk
 * @throws DiskError EINVAL when a field is impossible, or asks for what is not supported
 */
export function parseHeader1(bytes: Uint8Array, size: bigint): LuksHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER1_SIZE);
  const cipher = `${textField(bytes, at1.cipherName, 32, "cipher")}-${textField(bytes, at1.cipherMode, 32, "cipher mode")}`;
  const hash = textField(bytes, at1.hash, 32, "hash");
  hashSize(hash, "the header");
  const keySize = view.getUint32(at1.keySize);
  const encryption = parseEncryption(cipher, keySize, "the disk");
  const digest: Digest = {
    type: "pbkdf2",
    hash,
    iterations: view.getUint32(at1.digestIterations),
    salt: bytes.slice(at1.digestSalt, at1.digestSalt + 32),
    value: bytes.slice(at1.digest, at1.digest + 20),
  };
  checkIterations(digest, "the key's digest");

  const keyslots: Keyslot[] = [];
  for (let id = 0; id < SLOTS; id += 1) {
    const slot = at1.slots + id * at1.slotSize;
    const state = view.getUint32(slot + inSlot1.state);
    if (state === SLOT_DISABLED) continue;
    if (state !== SLOT_ACTIVE) throw refused(`keyslot ${id} is neither in use nor free: the header is damaged`);
    const iterations = view.getUint32(slot + inSlot1.iterations);
    checkIterations({ iterations }, `keyslot ${id}`);
    const salt = bytes.slice(slot + inSlot1.salt, slot + inSlot1.salt + 32);
    keyslots.push({
      id,
      priority: 1,
      keySize,
      kdf: { type: "pbkdf2", hash, iterations, salt },
      stripes: checkStripes(view.getUint32(slot + inSlot1.stripes), `keyslot ${id}`),
      splitHash: hash,
      offset: BigInt(view.getUint32(slot + inSlot1.offset)) * BigInt(SECTOR),
      encryption,
      digest,
    });
  }

  const offset = BigInt(view.getUint32(at1.payloadOffset)) * BigInt(SECTOR);
  if (offset === 0n) throw refused("the disk holds a detached header only: its data are elsewhere, which is not supported");
  if (offset > size) throw refused(`the data begin at ${offset}, past the end of the disk (${size} bytes)`);
  checkAreas(keyslots, offset);
  const segment = {
    offset,
    length: size - offset - ((size - offset) % BigInt(SECTOR)),
    firstSector: 0n,
    sectorSize: SECTOR,
    encryption,
    digest,
  };
  const uuid = textField(bytes, at1.uuid, 40, "UUID");
  return { version: 1, uuid, label: "", keyslots, segments: [segment], bytes: bytes.slice(0, HEADER1_SIZE) };
}

/** Bytes of a keyslot's area that are in use: whole sectors. */
export function areaSize(keySize: number, stripes: number): number {
  return Math.ceil((keySize * stripes) / SECTOR) * SECTOR;
}

/** @throws DiskError EINVAL when there are none or too many */
export function checkStripes(stripes: number, where: string): number {
  if (Number.isInteger(stripes) && stripes >= 1 && stripes <= MAX_STRIPES) return stripes;
  throw refused(`${where} is split into ${stripes} stripes: expected 1 to ${MAX_STRIPES}, and usually 4000`);
}

/** Keyslots lie behind the header, before the data, and each by itself. */
function checkAreas(keyslots: readonly Keyslot[], dataOffset: bigint): void {
  const areas = keyslots.map(({ id, offset, keySize, stripes }) => ({
    id,
    start: offset,
    end: offset + BigInt(areaSize(keySize, stripes)),
  }));
  for (const [index, area] of areas.entries()) {
    if (area.start < HEADER1_SIZE || area.end > dataOffset) {
      throw refused(
        `keyslot ${area.id} lies from ${area.start} to ${area.end}: not between the header and the data (${HEADER1_SIZE} to ${dataOffset})`,
      );
    }
    const other = areas.slice(0, index).find((before) => overlap(before, area));
    if (other !== undefined) throw refused(`keyslots ${other.id} and ${area.id} overlap`);
  }
}
