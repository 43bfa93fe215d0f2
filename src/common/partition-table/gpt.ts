// The GUID partition table: header, array of entries, and the backup of both at the end of the disk (UEFI specification 2.10, section 5.3).

import { crc32 } from "node:zlib";
import type { Partition, PartitionTable, Readable, SectorSize } from "../partition-table.ts";

const SIGNATURE = "EFI PART";
const LEAST_HEADER = 92;
const LEAST_ENTRY = 128;
/** The usual array has 16 KiB. */
const MAX_ARRAY = 4 * 1024 * 1024;

/** Reads the backup at the end of the disk, or says what is wrong with it. */
export async function readBackupGpt(disk: Readable, sizes: readonly SectorSize[]): Promise<PartitionTable | string> {
  let wrong = "";
  for (const sectorSize of sizes) {
    const last = disk.size / BigInt(sectorSize) - 1n;
    const gpt = await readGpt(disk, sectorSize, last * BigInt(sectorSize));
    if (typeof gpt !== "string") return gpt;
    if (wrong === "" || !gpt.includes("signature")) wrong = gpt;
  }
  return wrong;
}

/** Reads the GPT whose header is at `offset`, or says what is wrong with it. */
export async function readGpt(disk: Readable, sectorSize: SectorSize, offset: bigint): Promise<PartitionTable | string> {
  if (offset < BigInt(sectorSize) || offset + BigInt(sectorSize) > disk.size) return "the disk is too small for it";
  const header = Buffer.alloc(sectorSize);
  await disk.read(header, offset);
  const sector = offset / BigInt(sectorSize);
  if (header.toString("latin1", 0, 8) !== SIGNATURE) return `there is no signature (${SIGNATURE}) in sector ${sector}`;
  const length = header.readUInt32LE(12);
  if (length < LEAST_HEADER || length > sectorSize) return `the length ${length} is not from ${LEAST_HEADER} to ${sectorSize}`;
  const checksum = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header.subarray(0, length)) !== checksum) return "the checksum is wrong";
  const self = header.readBigUInt64LE(24);
  if (self !== sector) return `it is said to be in sector ${self}, not ${sector}`;

  const start = header.readBigUInt64LE(72) * BigInt(sectorSize);
  const count = header.readUInt32LE(80);
  const size = header.readUInt32LE(84);
  if (size < LEAST_ENTRY || size % 8 !== 0) return `the size of an entry is ${size}: expected ${LEAST_ENTRY}, 256, 512 …`;
  if (count * size > MAX_ARRAY) return `${count} entries of ${size} bytes are more than the ${MAX_ARRAY} bytes that are taken`;
  if (start + BigInt(count * size) > disk.size) return "the entries are past the end of the disk";
  const array = Buffer.alloc(count * size);
  if (array.length > 0) await disk.read(array, start);
  if (crc32(array) !== header.readUInt32LE(88)) return "the checksum of the entries is wrong";

  const partitions: Partition[] = [];
  for (let i = 0; i < count; i += 1) {
    const partition = toPartition(array.subarray(i * size, (i + 1) * size), i + 1, BigInt(sectorSize));
    if (partition !== undefined) partitions.push(partition);
  }
  return { kind: "GPT", sectorSize, partitions };
}

function toPartition(entry: Buffer, number: number, unit: bigint): Partition | undefined {
  const type = guid(entry);
  if (type === "00000000-0000-0000-0000-000000000000") return undefined;
  const first = entry.readBigUInt64LE(32);
  const last = entry.readBigUInt64LE(40);
  const name = entry.toString("utf16le", 56, 128).replace(/\0.*$/s, "");
  return { number, offset: first * unit, length: last < first ? 0n : (last - first + 1n) * unit, type, ...(name !== "" && { name }) };
}

/** A GUID as people write it: its first three fields are little-endian. */
function guid(bytes: Buffer): string {
  const hex = (start: number, end: number): string => bytes.toString("hex", start, end);
  const swapped = (start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).reverse().toString("hex");
  return `${swapped(0, 4)}-${swapped(4, 6)}-${swapped(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}
