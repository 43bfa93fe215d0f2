// Writes an MBR, with a chain of extended boot records for logical partitions, and the protective one of a GPT.
// Format: as Linux and sfdisk have it; UEFI specification 2.10, section 5.2.

import type { Placed } from "./wanted.ts";

const EXTENDED = 0x0f;
const PROTECTIVE = 0xee;
const BOOTABLE = 0x80;
const ENTRIES = 446;
const MOST = 0xffffffffn;

/** An entry: sectors, from the start of the disk or of what the record says. */
interface Entry {
  readonly type: number;
  readonly first: bigint;
  readonly sectors: bigint;
  readonly bootable?: boolean;
}

/** Four primary partitions, or three and an extended one that holds the others; the first is marked bootable. */
export function mbrOf(partitions: readonly Placed[], extended: Pick<Entry, "first" | "sectors"> | undefined): Uint8Array {
  const primary = partitions.slice(0, extended === undefined ? 4 : 3);
  const entries: Entry[] = primary.map(({ mbrId, first, sectors }, index) => ({ type: mbrId, first, sectors, bootable: index === 0 }));
  if (extended !== undefined) entries.push({ type: EXTENDED, ...extended });
  return record(entries);
}

/**
 * The record before a logical partition, which also says where the next record is.
 *
 * @param at - its own sector
 * @param extended - the first sector of the extended partition
 * @param next - the record that follows, with the partition that it is for
 */
export function extendedRecord(
  partition: Placed,
  at: bigint,
  extended: bigint,
  next: { readonly at: bigint; readonly end: bigint } | undefined,
): Uint8Array {
  const entries: Entry[] = [{ type: partition.mbrId, first: partition.first - at, sectors: partition.sectors }];
  if (next !== undefined) entries.push({ type: EXTENDED, first: next.at - extended, sectors: next.end - next.at });
  return record(entries);
}

/** Tells those who know no GPT that all of the disk is in use. */
export function protectiveMbr(sectors: bigint): Uint8Array {
  const rest = sectors - 1n;
  return record([{ type: PROTECTIVE, first: 1n, sectors: rest > MOST ? MOST : rest }]);
}

function record(entries: readonly Entry[]): Uint8Array {
  const bytes = Buffer.alloc(512);
  for (const [index, { type, first, sectors, bootable }] of entries.entries()) {
    const at = ENTRIES + 16 * index;
    bytes.writeUInt8(bootable === true ? BOOTABLE : 0, at);
    // Cylinders, heads and sectors say nothing any more: the largest ones stand for that.
    bytes.set([0xfe, 0xff, 0xff], at + 1);
    bytes.writeUInt8(type, at + 4);
    bytes.set([0xfe, 0xff, 0xff], at + 5);
    bytes.writeUInt32LE(Number(first), at + 8);
    bytes.writeUInt32LE(Number(sectors), at + 12);
  }
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}
