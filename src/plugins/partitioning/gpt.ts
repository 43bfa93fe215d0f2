// Writes a GPT and its backup. Format: UEFI specification 2.10, section 5.3.

import { crc32 } from "node:zlib";
import { protectiveMbr } from "./mbr.ts";
import type { Placed } from "./wanted.ts";

const SECTOR_BYTES = 512;
const ENTRY = 128;
const LEAST_ENTRIES = 128;
const HEADER = 92;
const NAME_UNITS = 36;
const LEGACY_BOOTABLE = 4;

/** How many entries a table for so many partitions has: those of whole 16 KiB, which is what all tools expect. */
export function entryCount(partitions: number): number {
  return Math.max(1, Math.ceil(partitions / LEAST_ENTRIES)) * LEAST_ENTRIES;
}

/** Sectors that the entries take. */
export function entrySectors(partitions: number): bigint {
  return BigInt((entryCount(partitions) * ENTRY) / SECTOR_BYTES);
}

/** What stands before the partitions: protective MBR, header and entries; and after them: entries and header. */
export interface Gpt {
  readonly primary: Uint8Array;
  readonly backup: Uint8Array;
}

/**
 * Writes both tables.
 *
 * @param end - the sector after the last partition, where the backup begins
 */
export function gptOf(partitions: readonly Placed[], end: bigint, guid: Uint8Array): Gpt {
  const taken = entrySectors(partitions.length);
  const sectors = end + taken + 1n;
  const entries = entriesOf(partitions);
  const common = { entries, count: entryCount(partitions.length), first: 2n + taken, last: end - 1n, guid };
  const primary = header({ ...common, at: 1n, other: sectors - 1n, entriesAt: 2n });
  const backup = header({ ...common, at: sectors - 1n, other: 1n, entriesAt: end });
  return { primary: Buffer.concat([protectiveMbr(sectors), primary, entries]), backup: Buffer.concat([entries, backup]) };
}

interface Header {
  readonly at: bigint;
  readonly other: bigint;
  readonly entriesAt: bigint;
  readonly entries: Buffer;
  readonly count: number;
  readonly first: bigint;
  readonly last: bigint;
  readonly guid: Uint8Array;
}

function header({ at, other, entriesAt, entries, count, first, last, guid }: Header): Buffer {
  const bytes = Buffer.alloc(SECTOR_BYTES);
  bytes.write("EFI PART", 0, "latin1");
  bytes.writeUInt32LE(0x00010000, 8);
  // All that the format defines. nbdkit says 96, which it allows too.
  bytes.writeUInt32LE(HEADER, 12);
  bytes.writeBigUInt64LE(at, 24);
  bytes.writeBigUInt64LE(other, 32);
  bytes.writeBigUInt64LE(first, 40);
  bytes.writeBigUInt64LE(last, 48);
  bytes.set(guid, 56);
  bytes.writeBigUInt64LE(entriesAt, 72);
  bytes.writeUInt32LE(count, 80);
  bytes.writeUInt32LE(ENTRY, 84);
  bytes.writeUInt32LE(crc32(entries), 88);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER)), 16);
  return bytes;
}

function entriesOf(partitions: readonly Placed[]): Buffer {
  const bytes = Buffer.alloc(entryCount(partitions.length) * ENTRY);
  for (const [index, { typeGuid, guid, first, sectors, name }] of partitions.entries()) {
    const at = index * ENTRY;
    bytes.set(typeGuid, at);
    bytes.set(guid, at + 16);
    bytes.writeBigUInt64LE(first, at + 32);
    bytes.writeBigUInt64LE(first + sectors - 1n, at + 40);
    bytes.writeUInt32LE(index === 0 ? LEGACY_BOOTABLE : 0, at + 48);
    bytes.write(fitting(name), at + 56, "utf16le");
  }
  return bytes;
}

/** As much of a name as fits, in whole characters. */
function fitting(name: string): string {
  let text = "";
  for (const character of name) {
    if (text.length + character.length > NAME_UNITS) break;
    text += character;
  }
  return text;
}
