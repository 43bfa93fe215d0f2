// A FAT directory as bytes: an entry for each file, with those of its long name before it.
// Source: Microsoft, "FAT32 File System Specification", version 1.03, section "FAT Directory Structure".

import { DiskError } from "../../contract/error.ts";
import { ENTRY_SIZE, longNameEntries, ShortNames } from "./names.ts";
import type { Node } from "./scan.ts";

const DIRECTORY = 0x10;
const ARCHIVE = 0x20;
const VOLUME = 0x08;
/** A directory has at most so many bytes. */
const LARGEST = 65_536 * ENTRY_SIZE;

/**
 * The length of a folder's directory, in bytes.
 *
 * @param nested - it lies in another folder
 * @throws DiskError when FAT cannot keep the folder
 */
export function directorySize(folder: Node, nested: boolean): number {
  const entries = namesOf(folder).reduce((sum, { long }) => sum + long.length + 1, nested ? 2 : 1);
  const size = entries * ENTRY_SIZE;
  if (size <= LARGEST) return size;
  throw new DiskError(
    "EFBIG",
    `${folder.path} has too many files: its directory would have ${size} bytes, and FAT's have at most ${LARGEST}`,
  );
}

/**
 * A folder's directory.
 *
 * @param parent - the folder that it lies in; the root lies in none, and has the disk's label
 * @param firstOf - the first cluster of a file or folder
 */
export function directoryBytes(folder: Node, parent: Node | undefined, label: string, firstOf: (node: Node) => number): Buffer {
  const entries: Buffer[] = [];
  if (parent === undefined) {
    entries.push(entry(label, VOLUME, folder.mtime, 0, 0));
  } else {
    entries.push(entry(".".padEnd(11), DIRECTORY, folder.mtime, firstOf(folder), 0));
    // To the root it is 0, wherever the root is.
    entries.push(entry("..".padEnd(11), DIRECTORY, parent.mtime, isRoot(parent) ? 0 : firstOf(parent), 0));
  }
  for (const { node, short, long } of namesOf(folder)) {
    const attributes = node.children === undefined ? ARCHIVE : DIRECTORY;
    entries.push(...long, entry(short, attributes, node.mtime, firstOf(node), node.size));
  }
  return Buffer.concat(entries);
}

function isRoot({ name }: Node): boolean {
  return name === "";
}

function namesOf(folder: Node): { readonly node: Node; readonly short: string; readonly long: readonly Buffer[] }[] {
  const names = new ShortNames();
  return (folder.children ?? []).map((node) => {
    const short = names.make(node.name, node.path);
    return { node, short, long: longNameEntries(node.name, short) };
  });
}

function entry(short: string, attributes: number, mtime: Date, first: number, size: number): Buffer {
  const bytes = Buffer.alloc(ENTRY_SIZE);
  bytes.write(short, 0, "latin1");
  bytes[11] = attributes;
  const [date, time] = timestamp(mtime);
  bytes.writeUInt16LE(time, 14);
  bytes.writeUInt16LE(date, 16);
  bytes.writeUInt16LE(date, 18);
  bytes.writeUInt16LE(first >>> 16, 20);
  bytes.writeUInt16LE(time, 22);
  bytes.writeUInt16LE(date, 24);
  bytes.writeUInt16LE(first & 0xffff, 26);
  bytes.writeUInt32LE(size, 28);
  return bytes;
}

/** Local time in steps of two seconds, from 1980 to 2107. */
function timestamp(when: Date): [date: number, time: number] {
  const year = when.getFullYear();
  if (!(year >= 1980)) return [(1 << 5) | 1, 0];
  if (year > 2107) return [(127 << 9) | (12 << 5) | 31, (23 << 11) | (59 << 5) | 29];
  const date = ((year - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate();
  return [date, (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1)];
}
