// Gives partitions their places, and writes the table around them.

import type { Disk } from "../../contract/disk.ts";
import { DiskError } from "../../contract/error.ts";
import type { Part } from "../composed/layout.ts";
import { entrySectors, gptOf } from "./gpt.ts";
import { extendedRecord, mbrOf } from "./mbr.ts";
import { type Placed, SECTOR, type Wanted, type WantedTable } from "./wanted.ts";

/** Bytes of partitions that an MBR can always take, wherever they come to lie. */
const MOST_OF_MBR = 0xffffffffn * SECTOR - 5n * 2n ** 20n;

/**
 * Lays out a disk whose partitions are these disks.
 *
 * @throws DiskError EINVAL when a disk is empty, or they do not fit in an MBR that was asked for
 */
export function layOut(disks: readonly Disk[], wanted: readonly Wanted[], { type, guid }: WantedTable): Part[] {
  for (const [index, { size }] of disks.entries())
    if (size === 0n) throw new DiskError("EINVAL", `partition ${index + 1} (${wanted[index]?.name}) is empty: expected at least one byte`);
  const total = disks.reduce((sum, { size }) => sum + size, 0n);
  if (type === "mbr" && total > MOST_OF_MBR)
    throw new DiskError("EINVAL", `the partitions have ${total} bytes, more than the 2 TB that an MBR can tell of: type gpt can`);
  const kind = type ?? (disks.length > 4 || total > MOST_OF_MBR ? "gpt" : "mbr");
  return kind === "gpt" ? withGpt(disks, wanted, guid) : withMbr(disks, wanted);
}

function withGpt(disks: readonly Disk[], wanted: readonly Wanted[], guid: Uint8Array): Part[] {
  const placed: Placed[] = [];
  let end = 2n + entrySectors(disks.length);
  for (const [index, want] of wanted.entries()) end = place(placed, want, end, disks[index] as Disk);
  const { primary, backup } = gptOf(placed, end, guid);
  return parts([
    { first: 0n, bytes: primary, name: TABLE },
    ...partsOf(placed, disks),
    { first: end, bytes: backup, name: "the backup of the partition table" },
  ]);
}

function withMbr(disks: readonly Disk[], wanted: readonly Wanted[]): Part[] {
  const placed: Placed[] = [];
  /** Where the record of each logical partition is. */
  const records: bigint[] = [];
  let end = 1n;
  for (const [index, want] of wanted.entries()) {
    if (disks.length > 4 && index >= 3) {
      records.push(end);
      end += 1n;
    }
    end = place(placed, want, end, disks[index] as Disk);
  }
  const [extended] = records;
  const mbr = mbrOf(placed, extended === undefined ? undefined : { first: extended, sectors: end - extended });
  const chain = records.map((at, index) => {
    const next = records[index + 1];
    const { first, sectors } = placed[index + 4] ?? { first: 0n, sectors: 0n };
    const bytes = extendedRecord(
      placed[index + 3] as Placed,
      at,
      extended as bigint,
      next === undefined ? undefined : { at: next, end: first + sectors },
    );
    return { first: at, bytes, name: TABLE };
  });
  return parts([{ first: 0n, bytes: mbr, name: TABLE }, ...chain, ...partsOf(placed, disks)]);
}

const TABLE = "the partition table";

/** Gives a partition the next place that suits it; answers the sector after it. */
function place(placed: Placed[], want: Wanted, end: bigint, { size }: Disk): bigint {
  const aligned = want.alignment / SECTOR;
  const first = ((end + aligned - 1n) / aligned) * aligned;
  const sectors = (size + SECTOR - 1n) / SECTOR;
  placed.push({ ...want, first, sectors });
  return first + sectors;
}

/** What stands at a sector. */
type Piece = { readonly first: bigint; readonly name: string } & (
  | { readonly bytes: Uint8Array; readonly disk?: undefined }
  | { readonly disk: Disk; readonly bytes?: undefined }
);

function partsOf(placed: readonly Placed[], disks: readonly Disk[]): Piece[] {
  return placed.map(({ first }, index) => ({ first, name: `partition ${index + 1}`, disk: disks[index] as Disk }));
}

/** Pieces in order, with zeroes between them and up to the end of the last sector. */
function parts(pieces: readonly Piece[]): Part[] {
  const list: Part[] = [];
  let offset = 0n;
  const fillTo = (to: bigint): void => {
    if (to > offset) list.push({ offset, length: to - offset, name: "the space between partitions" });
    offset = to;
  };
  for (const { first, ...piece } of pieces.toSorted((a, b) => Number(a.first - b.first))) {
    fillTo(first * SECTOR);
    const length = piece.disk === undefined ? BigInt(piece.bytes.length) : piece.disk.size;
    list.push({ offset, length, ...piece });
    offset += length;
  }
  fillTo(((offset + SECTOR - 1n) / SECTOR) * SECTOR);
  return list;
}
