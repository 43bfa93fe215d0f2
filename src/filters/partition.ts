// The partition filter: one partition of a disk, found in its MBR or GPT.

import { type PartitionTable, readPartitionTable, type SectorSize } from "../common/partition-table.ts";
import { sliceOf } from "../common/slice.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

/** How {@link partition} reads the partition table. */
export interface PartitionOptions {
  /**
   * Bytes that the table counts by: 512 or 4096. Default: the smallest block that the disk takes where it is one of these, else 512; a GPT is
   * looked for at both.
   */
  readonly sectorSize?: Size;
}

/**
 * Serves one partition of a disk. Partitions are numbered as Linux does it: from 1, and logical ones of an MBR from 5.
 *
 * A GPT whose primary header or entries are damaged is read from the backup at the end of the disk, with a warning. A client is refused
 * where there is no such partition, or no table that can be read.
 *
 * @throws DiskError EINVAL when the number is no partition's or the sector size none
 * @example
 * ```ts
 * const disk = pipe(myPlugin, partition(1));
 * ```
 */
export function partition(number: number, options: PartitionOptions = {}): Filter {
  if (!Number.isSafeInteger(number) || number < 1)
    throw new DiskError("EINVAL", `partition ${String(number)}: expected its number, counting from 1`);
  const sectorSize = options.sectorSize === undefined ? undefined : toSectorSize(options.sectorSize);
  let warned = false;
  return filter("partition", async (disk) => {
    const table = await readPartitionTable(disk, sectorSize);
    if (table.kind === "GPT" && table.damage !== undefined && !warned) {
      warned = true;
      process.emitWarning(`partition: ${table.damage}`, "DiskwrightWarning");
    }
    const { offset, length } = find(table, number);
    if (length === 0n) throw new DiskError("EINVAL", `partition ${number} ends before it starts: the ${table.kind} is damaged`);
    if (offset + length > disk.size) {
      const size = `the disk has ${disk.size} bytes`;
      throw new DiskError("EINVAL", `partition ${number} (${length} bytes at ${offset}) is not on the disk: ${size}, was it cut off?`);
    }
    return sliceOf(disk, offset, length);
  });
}

function toSectorSize(value: Size): SectorSize {
  const size = Number(parseSize(value, "sectorSize"));
  if (size === 512 || size === 4096) return size;
  throw new DiskError("EINVAL", `sectorSize ${size}: expected 512 or 4096`);
}

function find({ kind, partitions, damage }: PartitionTable, number: number): PartitionTable["partitions"][number] {
  const found = partitions.find((partition) => partition.number === number);
  if (found !== undefined && !found.extended) return found;
  const numbers = partitions.filter(({ extended }) => !extended).map((partition) => partition.number);
  const gaps = numbers.some((value, index) => value !== index + 1);
  const has = `the disk has ${numbers.length} (${kind}${gaps ? `: ${numbers.join(", ")}` : ""})`;
  const but = damage === undefined ? "" : `, and ${damage}`;
  if (found !== undefined) throw new DiskError("EINVAL", `partition ${number} only holds the logical ones: ${has}${but}`);
  throw new DiskError("EINVAL", `partition ${number} does not exist: ${has}${but}`);
}
