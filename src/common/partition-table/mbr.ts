// The MBR in sector 0, and the chain of extended boot records that holds its logical partitions.

import type { Partition, PartitionTable, Readable, SectorSize } from "../partition-table.ts";

const RECORD = 512;
/** Where the four entries start, and how long each is. */
const ENTRIES = 446;
const ENTRY = 16;
/** As many logical partitions are looked at; Linux knows no more than 255. */
const MAX_LOGICAL = 512;

/** What is wrong where there is no boot sector at all. */
export const NO_SIGNATURE: string = "sector 0 has no signature (55 AA)";

/** An entry that is in use. Sectors count from wherever its record says. */
interface Entry {
  readonly number: number;
  readonly type: number;
  readonly start: bigint;
  readonly sectors: bigint;
}

/** What sector 0 says. */
export interface Mbr {
  /** There is a GPT, and this is only there to keep others off. */
  readonly protective: boolean;
  readonly primary: readonly Entry[];
}

/** Reads the MBR, or says why sector 0 is none. */
export async function readMbr(disk: Readable, sectorSize: SectorSize): Promise<Mbr | string> {
  if (disk.size < BigInt(sectorSize)) return `the disk has only ${disk.size} bytes`;
  const primary = await readRecord(disk, 0n);
  if (primary === undefined) return NO_SIGNATURE;
  if (primary === "no record") return "sector 0 is a boot sector without partitions";
  return { protective: primary.some(({ type }) => type === 0xee), primary };
}

/** Adds the logical partitions to the primary ones. Where their chain is broken, those before are there, and `damage` says so. */
export async function readLogical(
  disk: Readable,
  sectorSize: SectorSize,
  primary: readonly Entry[],
): Promise<Pick<PartitionTable, "partitions" | "damage">> {
  const unit = BigInt(sectorSize);
  const partitions = primary.map((entry) => toPartition(entry, 0n, entry.number, unit));
  const seen = new Set<bigint>();
  const broken = (why: string) => ({ partitions, damage: `the chain of logical partitions is broken: ${why}` });
  let number = 5;
  for (const extended of primary.filter(isExtended)) {
    for (let at: bigint | undefined = extended.start; at !== undefined; ) {
      if (seen.has(at)) return broken(`it comes back to sector ${at}`);
      if (seen.size === MAX_LOGICAL) return broken(`it has more than ${MAX_LOGICAL} records`);
      seen.add(at);
      if (at * unit + BigInt(RECORD) > disk.size) return broken(`sector ${at} is past the end of the disk`);
      const entries = await readRecord(disk, at * unit);
      if (entries === undefined || entries === "no record") return broken(`sector ${at} holds no record`);
      for (const entry of entries) {
        if (entry.number <= 2 && !isExtended(entry)) partitions.push(toPartition(entry, at, number++, unit));
      }
      const next = entries.find(isExtended);
      at = next === undefined ? undefined : extended.start + next.start;
    }
  }
  return { partitions };
}

/** The entries in use of an MBR or an extended boot record. */
async function readRecord(disk: Readable, offset: bigint): Promise<Entry[] | "no record" | undefined> {
  const bytes = Buffer.alloc(RECORD);
  await disk.read(bytes, offset);
  if (bytes.readUInt16LE(510) !== 0xaa55) return undefined;
  const entries: Entry[] = [];
  for (let i = 0; i < 4; i += 1) {
    const entry = bytes.subarray(ENTRIES + i * ENTRY);
    // The boot sector of a file system has the same signature, and code where the entries would be.
    if (((entry[0] as number) & 0x7f) !== 0) return "no record";
    const type = entry[4] as number;
    const sectors = BigInt(entry.readUInt32LE(12));
    if (type !== 0 && sectors !== 0n) entries.push({ number: i + 1, type, start: BigInt(entry.readUInt32LE(8)), sectors });
  }
  return entries;
}

function isExtended({ type }: Entry): boolean {
  return type === 0x05 || type === 0x0f || type === 0x85;
}

function toPartition(entry: Entry, base: bigint, number: number, unit: bigint): Partition {
  return {
    number,
    offset: (base + entry.start) * unit,
    length: entry.sectors * unit,
    type: `0x${entry.type.toString(16).padStart(2, "0")}`,
    ...(isExtended(entry) && { extended: true }),
  };
}
