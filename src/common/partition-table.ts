// Reads a disk's partition table: MBR with logical partitions, or GPT with its backup.
// Formats: UEFI specification 2.10, section 5; for logical partitions the practice of Linux and sfdisk.

import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { readBackupGpt, readGpt } from "./partition-table/gpt.ts";
import { NO_SIGNATURE, readLogical, readMbr } from "./partition-table/mbr.ts";

/** What is read from; a {@link Disk} is one. */
export type Readable = Pick<Disk, "size" | "blockSize" | "read">;

/** Bytes that the table counts by. */
export type SectorSize = 512 | 4096;

/** One partition. It may lie outside the disk: that is for who uses it to see. */
export interface Partition {
  /** As Linux and nbdkit number it: from 1; logical partitions of an MBR from 5. */
  readonly number: number;
  /** Where it starts, in bytes of the disk. */
  readonly offset: bigint;
  /** Bytes; 0 for one that ends before it starts. */
  readonly length: bigint;
  /** MBR: `0x83` and the like; GPT: a GUID in lower case. */
  readonly type: string;
  /** What it is called (GPT). */
  readonly name?: string;
  /** It holds the logical partitions and nothing else (MBR). */
  readonly extended?: boolean;
}

/** A disk's partitions. */
export interface PartitionTable {
  readonly kind: "MBR" | "GPT";
  readonly sectorSize: SectorSize;
  /** In the order of the table; the numbers may have gaps. */
  readonly partitions: readonly Partition[];
  /** What is wrong with the table although it can be read, as a sentence's part: its primary header is bad, its chain of logical partitions broken. */
  readonly damage?: string;
}

/**
 * Reads the partition table of a disk.
 *
 * @param sectorSize - bytes that the table counts by. Default: the disk's smallest block where that is 512 or 4096, else 512; a GPT is looked
 * for at both
 * @throws DiskError EINVAL when there is no table, or none that can be read
 */
export async function readPartitionTable(disk: Readable, sectorSize?: SectorSize): Promise<PartitionTable> {
  const usual = disk.blockSize?.minimum === 4096 ? 4096 : 512;
  const sizes: readonly SectorSize[] = sectorSize === undefined ? [usual, usual === 512 ? 4096 : 512] : [sectorSize];
  const mbr = await readMbr(disk, sectorSize ?? usual);
  if (typeof mbr === "string") {
    // With the start of the disk wiped, the backup is what is left. A file system's boot sector says that the backup is older than it.
    const backup = mbr === NO_SIGNATURE ? await readBackupGpt(disk, sizes) : mbr;
    if (typeof backup !== "string") return withDamage(backup, mbr);
    throw new DiskError("EINVAL", `there is no partition table on this disk: ${mbr}`);
  }
  if (!mbr.protective)
    return { kind: "MBR", sectorSize: sectorSize ?? usual, ...(await readLogical(disk, sectorSize ?? usual, mbr.primary)) };

  const wrong: string[] = [];
  for (const size of sizes) {
    const gpt = await readGpt(disk, size, BigInt(size));
    if (typeof gpt !== "string") return gpt;
    wrong.push(gpt);
  }
  const backup = await readBackupGpt(disk, sizes);
  // Of two sector sizes, the one that found a header at all has more to say.
  const primary = wrong.find((text) => !text.includes("signature")) ?? (wrong[0] as string);
  if (typeof backup !== "string") return withDamage(backup, primary);
  throw new DiskError(
    "EINVAL",
    `the GPT cannot be read: in the primary header ${primary}, and in the backup at the end of the disk ${backup}`,
  );
}

function withDamage(table: PartitionTable, primary: string): PartitionTable {
  return { ...table, damage: `the GPT was read from its backup at the end of the disk, because at the start ${primary}` };
}
