// Where everything is on a virtual FAT32 disk: a partition table, the file system's headers, two tables of clusters, directories and files.
// Source: Microsoft, "FAT32 File System Specification", version 1.03.

import { createHash } from "node:crypto";
import { DiskError } from "../../contract/error.ts";
import { directoryBytes, directorySize } from "./directory.ts";
import type { Node } from "./scan.ts";

/** Bytes in a sector. */
export const SECTOR = 512;
/** The partition begins at the first mebibyte, as partitions do. */
const PARTITION = 2048;
/** Sectors before the first table: boot sector, free space information, and their copies at 6 and 7. */
const RESERVED = 32;
const BACKUP = 6;
/** With fewer clusters other systems than Linux take a disk for FAT12 or FAT16. */
const FEWEST_CLUSTERS = 65_525;
const MOST_CLUSTERS = 0x0ffffff5;
const MOST_SECTORS = 2 ** 32 - 1;
const END_OF_CHAIN = 0x0fffffff;
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** Bytes that are in memory. */
interface Bytes {
  readonly offset: number;
  readonly length: number;
  readonly bytes: Buffer;
}

/** Bytes that are in a file. */
interface InFile {
  readonly offset: number;
  readonly length: number;
  readonly file: Node;
}

/** A table of clusters, which is worked out where it is read. */
interface Table {
  readonly offset: number;
  readonly length: number;
  fill(target: Uint8Array, at: number): void;
}

/** A part of the disk that is not zero; offsets and lengths are bytes. */
export type Region = Bytes | InFile | Table;

/** The disk. */
export interface Layout {
  /** Bytes. */
  readonly size: number;
  /** What is not zero, ascending and disjoint. */
  readonly regions: readonly Region[];
}

/** Where a file's or folder's clusters are: they lie in one piece. */
interface Chain {
  readonly node: Node;
  /** The first cluster; 0 for a file without content. */
  readonly first: number;
  readonly clusters: number;
}

interface Allocation {
  /** In the order of their clusters. */
  readonly chains: ReadonlyMap<Node, Chain>;
  /** The folder that each file and folder is in; the root is in none. */
  readonly parents: ReadonlyMap<Node, Node>;
  /** Clusters that are taken. */
  readonly used: number;
}

/**
 * Lays out a disk.
 *
 * @param label - 11 characters
 * @param size - bytes of the whole disk; default: as many as it takes
 * @throws DiskError when the files do not fit
 */
export function layOut(root: Node, label: string, size: number | undefined): Layout {
  const clusterSize = chooseClusterSize(size ?? totalSize(root));
  const { chains, parents, used } = allocate(root, clusterSize);
  const { clusters, tableSectors } = geometry(used, clusterSize, size);
  const start = PARTITION * SECTOR;
  const tables = start + RESERVED * SECTOR;
  const data = tables + 2 * tableSectors * SECTOR;
  const sectors = (data - start + clusters * clusterSize) / SECTOR;
  if (PARTITION + sectors > MOST_SECTORS)
    throw new DiskError(
      "EFBIG",
      `the files need ${(PARTITION + sectors) * SECTOR} bytes: a disk with this partition table has at most ${MOST_SECTORS * SECTOR}`,
    );

  const boot = bootSector({ label, sectors, tableSectors, clusterSize, serial: serialOf(chains) });
  const info = informationSector(clusters - used, used + 2);
  const fill = tableOf(
    [...chains.values()].filter(({ first }) => first !== 0),
    used,
  );
  const tableLength = (used + 2) * 4;
  const regions: Region[] = [
    bytesAt(0, partitionTable(sectors)),
    bytesAt(start, boot),
    bytesAt(start + SECTOR, info),
    bytesAt(start + BACKUP * SECTOR, boot),
    bytesAt(start + (BACKUP + 1) * SECTOR, info),
    { offset: tables, length: tableLength, fill },
    { offset: tables + tableSectors * SECTOR, length: tableLength, fill },
  ];
  const firstOf = (node: Node): number => (chains.get(node) as Chain).first;
  for (const { node, first } of chains.values()) {
    const offset = data + (first - 2) * clusterSize;
    if (node.children !== undefined) regions.push(bytesAt(offset, directoryBytes(node, parents.get(node), label, firstOf)));
    else if (node.size > 0) regions.push({ offset, length: node.size, file: node });
  }
  return { size: size ?? (PARTITION + sectors) * SECTOR, regions };
}

/** The sizes that Microsoft's own formatting chooses. */
function chooseClusterSize(total: number): number {
  if (total <= 260 * MiB) return 512;
  if (total <= 8 * GiB) return 4096;
  if (total <= 16 * GiB) return 8192;
  return total <= 32 * GiB ? 16_384 : 32_768;
}

function totalSize({ size, children = [] }: Node): number {
  return children.reduce((sum, child) => sum + totalSize(child), size);
}

/** Gives every folder and file its clusters, one after the other, a folder before what is in it. */
function allocate(root: Node, clusterSize: number): Allocation {
  const chains = new Map<Node, Chain>();
  const parents = new Map<Node, Node>();
  let next = 2;
  const give = (node: Node, bytes: number): void => {
    const clusters = Math.ceil(bytes / clusterSize);
    chains.set(node, { node, first: clusters === 0 ? 0 : next, clusters });
    next += clusters;
  };
  const visit = (folder: Node): void => {
    give(folder, directorySize(folder, parents.has(folder)));
    for (const child of folder.children ?? []) {
      parents.set(child, folder);
      if (child.children === undefined) give(child, child.size);
      else visit(child);
    }
  };
  visit(root);
  return { chains, parents, used: next - 2 };
}

/** How many clusters the disk has, and how many sectors each table of them takes. */
function geometry(
  used: number,
  clusterSize: number,
  size: number | undefined,
): { readonly clusters: number; readonly tableSectors: number } {
  const tableOf = (clusters: number): number => Math.ceil(((clusters + 2) * 4) / SECTOR);
  if (size === undefined) {
    const clusters = Math.max(used, FEWEST_CLUSTERS);
    return { clusters, tableSectors: tableOf(clusters) };
  }
  const perCluster = clusterSize / SECTOR;
  const sectors = Math.floor(size / SECTOR) - PARTITION - RESERVED;
  const tableSectors = tableOf(Math.max(0, Math.floor(sectors / perCluster)));
  const clusters = Math.min(MOST_CLUSTERS, Math.floor((sectors - 2 * tableSectors) / perCluster));
  if (clusters >= used) return { clusters, tableSectors };
  const least = (PARTITION + RESERVED + 2 * tableOf(used)) * SECTOR + used * clusterSize;
  throw new DiskError("ENOSPC", `size ${size}: the files need ${least} bytes`);
}

/** What a part of the table of clusters holds: each cluster's next one. All chains are in one piece, in the order of their clusters. */
function tableOf(chains: readonly Chain[], used: number): Table["fill"] {
  const entry = (cluster: number, chain: Chain | undefined): number => {
    if (cluster === 0) return 0x0ffffff8;
    if (cluster === 1 || chain === undefined) return END_OF_CHAIN;
    return cluster === chain.first + chain.clusters - 1 ? END_OF_CHAIN : cluster + 1;
  };
  return (target, at) => {
    const bytes = Buffer.alloc(4);
    let index = -1;
    for (let done = 0; done < target.length; ) {
      const cluster = Math.floor((at + done) / 4);
      if (index === -1 && cluster >= 2) index = chainAt(chains, cluster);
      while (index >= 0 && index + 1 < chains.length && (chains[index + 1] as Chain).first <= cluster) index += 1;
      bytes.writeUInt32LE(cluster < used + 2 ? entry(cluster, chains[index]) : 0);
      const skip = (at + done) % 4;
      const count = Math.min(4 - skip, target.length - done);
      target.set(bytes.subarray(skip, skip + count), done);
      done += count;
    }
  };
}

/** The last chain that begins at or before a cluster. */
function chainAt(chains: readonly Chain[], cluster: number): number {
  let low = 0;
  let high = chains.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((chains[middle] as Chain).first <= cluster) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The same for the same files, so that a client that comes again meets the same disk. */
function serialOf(chains: ReadonlyMap<Node, Chain>): number {
  const hash = createHash("sha256");
  for (const { name, size, mtime } of chains.keys()) hash.update(`${name}\0${size}\0${mtime.getTime()}\0`);
  return hash.digest().readUInt32LE(0);
}

function bytesAt(offset: number, bytes: Buffer): Bytes {
  return { offset, length: bytes.length, bytes };
}

function partitionTable(sectors: number): Buffer {
  const table = Buffer.alloc(SECTOR);
  // The largest cylinder, head and sector: what lies beyond them is found by its number.
  table.set([0x00, 0xfe, 0xff, 0xff, 0x0c, 0xfe, 0xff, 0xff], 446);
  table.writeUInt32LE(PARTITION, 454);
  table.writeUInt32LE(sectors, 458);
  table.writeUInt16LE(0xaa55, 510);
  return table;
}

function bootSector(disk: {
  readonly label: string;
  readonly sectors: number;
  readonly tableSectors: number;
  readonly clusterSize: number;
  readonly serial: number;
}): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.set([0xeb, 0x58, 0x90]);
  sector.write("MSWIN4.1", 3, "latin1");
  sector.writeUInt16LE(SECTOR, 11);
  sector[13] = disk.clusterSize / SECTOR;
  sector.writeUInt16LE(RESERVED, 14);
  sector[16] = 2;
  sector[21] = 0xf8;
  sector.writeUInt16LE(63, 24);
  sector.writeUInt16LE(255, 26);
  sector.writeUInt32LE(PARTITION, 28);
  sector.writeUInt32LE(disk.sectors, 32);
  sector.writeUInt32LE(disk.tableSectors, 36);
  sector.writeUInt32LE(2, 44);
  sector.writeUInt16LE(1, 48);
  sector.writeUInt16LE(BACKUP, 50);
  sector[64] = 0x80;
  sector[66] = 0x29;
  sector.writeUInt32LE(disk.serial, 67);
  sector.write(disk.label, 71, "latin1");
  sector.write("FAT32   ", 82, "latin1");
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

function informationSector(free: number, next: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.write("RRaA", 0, "latin1");
  sector.write("rrAa", 484, "latin1");
  sector.writeUInt32LE(free, 488);
  sector.writeUInt32LE(free === 0 ? 0xffffffff : next, 492);
  sector.writeUInt32LE(0xaa550000, 508);
  return sector;
}
