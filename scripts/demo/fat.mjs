// A FAT16 file system made here, for machines that have no mkfs. After Microsoft's "FAT: General Overview of On-Disk Format", 1.03.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SECTOR = 512;
const CLUSTER = 4 * SECTOR;
const RESERVED = 1;
const ROOT_ENTRIES = 512;
const DIRECTORY = 0x10;
const LONG_NAME = 0x0f;
const END = 0xffff;

/**
 * Makes an image of a FAT16 file system with the files of a folder.
 *
 * @param {string} folder
 * @param {number} size - bytes: 16 MiB to 128 MiB
 * @returns {Buffer}
 */
export function fatImage(folder, size) {
  const sectors = size / SECTOR;
  const fatSectors = Math.ceil(((sectors / 4) * 2) / SECTOR);
  const rootStart = (RESERVED + 2 * fatSectors) * SECTOR;
  const dataStart = rootStart + ROOT_ENTRIES * 32;
  const image = Buffer.alloc(size);
  const fat = [0xfff8, END];

  bootSector(sectors, fatSectors).copy(image);
  children(folder, 0).copy(image, rootStart);
  const table = Buffer.alloc(fatSectors * SECTOR);
  for (const [cluster, next] of fat.entries()) table.writeUInt16LE(next, cluster * 2);
  table.copy(image, RESERVED * SECTOR);
  table.copy(image, RESERVED * SECTOR + table.length);
  return image;

  /** The entries of a folder, whose files and folders are stored on the way. `self` is the folder's own first cluster. */
  function children(path, self) {
    const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    return Buffer.concat(
      entries.map((entry, index) => {
        const child = join(path, entry.name);
        if (!entry.isDirectory()) {
          const bytes = readFileSync(child);
          return directoryEntries(entry.name, index, 0, store(bytes), bytes.length);
        }
        // A folder names its own cluster in ".", so the cluster is taken before the content is known.
        const cluster = allocate(directorySize(child));
        const dots = [shortEntry(".          ", DIRECTORY, cluster, 0), shortEntry("..         ", DIRECTORY, self, 0)];
        put(Buffer.concat([...dots, children(child, cluster)]), cluster);
        return directoryEntries(entry.name, index, DIRECTORY, cluster, 0);
      }),
    );
  }

  function store(bytes) {
    return bytes.length === 0 ? 0 : put(bytes, allocate(bytes.length));
  }

  /** Takes a run of clusters for so many bytes; answers the first. */
  function allocate(bytes) {
    const first = fat.length;
    const count = Math.ceil(bytes / CLUSTER);
    for (let i = 1; i <= count; i += 1) fat.push(i === count ? END : first + i);
    return first;
  }

  function put(bytes, cluster) {
    bytes.copy(image, dataStart + (cluster - 2) * CLUSTER);
    return cluster;
  }
}

/** Bytes of a folder's entries: two of its own, and for each name a short one and as many long ones as it takes. */
function directorySize(path) {
  return 32 * readdirSync(path).reduce((entries, name) => entries + 1 + Math.ceil(name.length / 13), 2);
}

function bootSector(sectors, fatSectors) {
  const sector = Buffer.alloc(SECTOR);
  sector.set([0xeb, 0x3c, 0x90]);
  sector.write("MSWIN4.1", 3);
  sector.writeUInt16LE(SECTOR, 11);
  sector.writeUInt8(CLUSTER / SECTOR, 13);
  sector.writeUInt16LE(RESERVED, 14);
  sector.writeUInt8(2, 16);
  sector.writeUInt16LE(ROOT_ENTRIES, 17);
  if (sectors < 0x10000) sector.writeUInt16LE(sectors, 19);
  else sector.writeUInt32LE(sectors, 32);
  sector.writeUInt8(0xf8, 21);
  sector.writeUInt16LE(fatSectors, 22);
  sector.writeUInt16LE(32, 24);
  sector.writeUInt16LE(64, 26);
  sector.writeUInt8(0x80, 36);
  sector.writeUInt8(0x29, 38);
  sector.writeUInt32LE(0xd15c0000, 39);
  sector.write("NO NAME    FAT16   ", 43, "latin1");
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** A file's entries: its long name, last part first, then the short one that old systems see. */
function directoryEntries(name, index, attributes, cluster, size) {
  const short = `FILE${String(index).padStart(4, "0")}   `;
  const checksum = [...Buffer.from(short)].reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
  const units = [...name].map((letter) => letter.charCodeAt(0));
  const parts = Math.ceil(units.length / 13);
  const long = Array.from({ length: parts }, (_, i) => longEntry(units.slice(i * 13, i * 13 + 13), i + 1, i + 1 === parts, checksum));
  return Buffer.concat([...long.reverse(), shortEntry(short, attributes, cluster, size)]);
}

function longEntry(units, order, isLast, checksum) {
  const entry = Buffer.alloc(32);
  entry.writeUInt8(order | (isLast ? 0x40 : 0), 0);
  entry.writeUInt8(LONG_NAME, 11);
  entry.writeUInt8(checksum, 13);
  const places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
  // The name ends with a zero, if there is room for it, and is filled up with ones.
  for (const [i, place] of places.entries()) entry.writeUInt16LE(units[i] ?? (i === units.length ? 0 : 0xffff), place);
  return entry;
}

function shortEntry(name, attributes, cluster, size) {
  const entry = Buffer.alloc(32);
  entry.write(name, 0, 11, "latin1");
  entry.writeUInt8(attributes, 11);
  entry.writeUInt16LE(0x21, 24);
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(size, 28);
  return entry;
}
