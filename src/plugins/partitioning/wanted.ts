// What is wanted of a partition, and of a table.

/** A partition to be made. */
export interface Wanted {
  /** Bytes: a power of two. */
  readonly alignment: bigint;
  readonly mbrId: number;
  /** As it stands on the disk. */
  readonly typeGuid: Uint8Array;
  readonly guid: Uint8Array;
  readonly name: string;
}

/** A partition that has its place, in sectors of {@link SECTOR} bytes. */
export interface Placed extends Wanted {
  readonly first: bigint;
  readonly sectors: bigint;
}

/** The table to be made. */
export interface WantedTable {
  /** Absent: what suits the partitions. */
  readonly type: "mbr" | "gpt" | undefined;
  /** The disk's own, as it stands there. */
  readonly guid: Uint8Array;
}

/** Bytes of a sector. */
export const SECTOR = 512n;
