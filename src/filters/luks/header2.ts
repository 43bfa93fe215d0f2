// The binary headers of LUKS2: two copies, each of 4096 bytes and an area of JSON, of which the newest whole one counts.
// LUKS2 On-Disk Format Specification 1.1.4, section 2.1.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Disk } from "../../contract/disk.ts";
import { errorText } from "../../contract/error.ts";
import { hashSize } from "./encryption.ts";
import { textField } from "./fields.ts";
import { MAGIC } from "./header1.ts";
import { readRange } from "./read-range.ts";
import { refused } from "./refused.ts";

/** That of the second copy. */
const MAGIC_SECOND = Uint8Array.of(0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe);
/** Bytes of the binary part. */
export const BINARY_SIZE = 4096;
/** Bytes that a copy may have; so many bytes from the start of the disk is also where the second one is. */
const SIZES: readonly number[] = [4, 8, 16, 32, 64, 128, 256, 512, 1024].map((step) => step * BINARY_SIZE);

const at2 = {
  version: 6,
  size: 8,
  sequence: 16,
  label: 24,
  checksumHash: 72,
  salt: 104,
  uuid: 168,
  subsystem: 208,
  offset: 256,
  checksum: 448,
} as const;
const CHECKSUM_SIZE = 64;

/** A copy of the header that is whole. */
export interface Header2 {
  /** Bytes, JSON and all. */
  readonly size: number;
  /** Counts the changes. */
  readonly sequence: bigint;
  readonly label: string;
  readonly uuid: string;
  readonly json: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads the header of a disk: the first copy, or the second where that is newer or the first is damaged.
 *
 * @returns `undefined` when there is no trace of one
 * @throws DiskError EINVAL when what there is of them is damaged
 */
export async function readHeader2(disk: Disk): Promise<Header2 | undefined> {
  const damage: string[] = [];
  const first = await tryCopy(disk, 0, damage);
  // A header that is whole says where the other one is; otherwise it may be at any of the places that there are.
  let second: Header2 | undefined;
  for (const offset of first === undefined ? SIZES : [first.size]) second ??= await tryCopy(disk, offset, damage);
  if (first === undefined || second === undefined) {
    if (first === undefined && second === undefined && damage.length > 0) throw refused(`both headers are damaged: ${damage.join("; ")}`);
    return first ?? second;
  }
  return second.sequence > first.sequence ? second : first;
}

/** The copy at `offset`, if it is whole; if there is one that is not, `damage` gets to know what is wrong with it. */
async function tryCopy(disk: Disk, offset: number, damage: string[]): Promise<Header2 | undefined> {
  if (BigInt(offset + BINARY_SIZE) > disk.size) return undefined;
  const binary = await readRange(disk, BigInt(offset), BINARY_SIZE, "the header");
  const magic = offset === 0 ? MAGIC : MAGIC_SECOND;
  const view = new DataView(binary.buffer, binary.byteOffset);
  if (!magic.every((byte, index) => byte === binary[index]) || view.getUint16(at2.version) !== 2) return undefined;
  try {
    const size = Number(view.getBigUint64(at2.size));
    if (!SIZES.includes(size)) throw refused(`it cannot have ${size} bytes`);
    if (view.getBigUint64(at2.offset) !== BigInt(offset)) throw refused(`it says that it is at ${view.getBigUint64(at2.offset)}`);
    if (offset !== 0 && offset !== size) throw refused(`it has ${size} bytes, and so would not be here`);
    return parse(await readRange(disk, BigInt(offset), size, "it"));
  } catch (error) {
    damage.push(`the one at ${offset}: ${errorText(error).replace(/^luks: /, "")}`);
    return undefined;
  }
}

function parse(bytes: Uint8Array): Header2 {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const hash = textField(bytes, at2.checksumHash, 32, "checksum's hash");
  const size = hashSize(hash, "its checksum");
  if (!timingSafeEqual(checksum(bytes, hash), bytes.subarray(at2.checksum, at2.checksum + size))) throw refused("its checksum is wrong");
  const area = Buffer.from(bytes.buffer, bytes.byteOffset + BINARY_SIZE, bytes.length - BINARY_SIZE);
  const end = area.indexOf(0);
  return {
    size: bytes.length,
    sequence: view.getBigUint64(at2.sequence),
    label: textField(bytes, at2.label, 48, "label"),
    uuid: textField(bytes, at2.uuid, 40, "UUID"),
    json: area.toString("utf8", 0, end < 0 ? area.length : end),
    bytes,
  };
}

/** The hash of a whole copy in which the checksum's field is zero. */
function checksum(bytes: Uint8Array, hash: string): Uint8Array {
  return createHash(hash)
    .update(bytes.subarray(0, at2.checksum))
    .update(new Uint8Array(CHECKSUM_SIZE))
    .update(bytes.subarray(at2.checksum + CHECKSUM_SIZE))
    .digest();
}

/** Makes a copy of the header. */
export function encodeHeader2({ size, sequence, label, uuid, json }: Omit<Header2, "bytes">, copy: "first" | "second"): Uint8Array {
  const bytes = Buffer.alloc(size);
  bytes.set(copy === "first" ? MAGIC : MAGIC_SECOND);
  bytes.writeUInt16BE(2, at2.version);
  bytes.writeBigUInt64BE(BigInt(size), at2.size);
  bytes.writeBigUInt64BE(sequence, at2.sequence);
  bytes.write(label, at2.label);
  bytes.write("sha256", at2.checksumHash);
  bytes.set(randomBytes(64), at2.salt);
  bytes.write(uuid, at2.uuid);
  bytes.writeBigUInt64BE(copy === "first" ? 0n : BigInt(size), at2.offset);
  bytes.write(json, BINARY_SIZE);
  bytes.set(checksum(bytes, "sha256"), at2.checksum);
  return bytes;
}
