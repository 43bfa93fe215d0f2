// A folder as a disk with a FAT32 file system, made up as it is read.

import { resolve } from "node:path";
import type { Awaitable } from "../contract/awaitable.ts";
import type { Connection, Extent } from "../contract/connection.ts";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";
import { together } from "../contract/together.ts";
import { type Layout, layOut, type Region, SECTOR } from "./floppy/layout.ts";
import { checkLabel } from "./floppy/names.ts";
import { OpenFiles } from "./floppy/open-files.ts";
import { scan } from "./floppy/scan.ts";

/** How {@link floppy} makes the disk. */
export interface FloppyOptions {
  /** The file system's name: up to 11 letters, digits, spaces and such marks as a dash. FAT has it in capitals. Default: `DISKWRIGHT`. */
  readonly label?: string;
  /** The size of the whole disk, a multiple of 512 bytes. Default: as much as it takes, and at least 33 MiB, from where on every system takes it for FAT32. */
  readonly size?: Size;
}

/** FAT counts sectors in 32 bits. */
const LARGEST = (2 ** 32 - 1) * SECTOR;

/**
 * A folder as a read-only disk: one partition (MBR) with a FAT32 file system that holds its files and folders, with long names. Nothing is
 * copied: files are read where they lie, so leave them alone while the disk is in use. Links, sockets and devices are left out.
 *
 * @throws TypeError or RangeError for impossible options; starting fails when the folder cannot be read, or has what FAT cannot keep: names that differ
 *   only in case, or have a colon or another mark that DOS reads otherwise, files of 4 GiB or more
 * @example A USB stick for a virtual machine
 * ```ts
 * await using server = await serve(floppy("drivers", { label: "DRIVERS" }));
 * console.log(server.uri);
 * ```
 */
export function floppy(folder: string, options: FloppyOptions = {}): Plugin {
  if (typeof folder !== "string" || folder === "") throw new TypeError(`dir ${JSON.stringify(folder)}: expected the path of a folder`);
  const path = resolve(folder);
  const label = checkLabel(options.label ?? "DISKWRIGHT");
  const size = options.size === undefined ? undefined : checkSize(parseSize(options.size, "size"));
  let layout: Layout | undefined;
  let files = new OpenFiles();
  return {
    name: "floppy",
    async start({ signal }) {
      files = new OpenFiles();
      layout = layOut(await scan(path, signal), label, size);
    },
    open: () => connection(layout as Layout, files),
    close: () => files.close(),
  };
}

function checkSize(size: bigint): number {
  if (size % BigInt(SECTOR) === 0n && size <= BigInt(LARGEST)) return Number(size);
  throw new RangeError(`size ${size}: expected a multiple of ${SECTOR} bytes, at most ${LARGEST}`);
}

function connection({ size, regions }: Layout, files: OpenFiles): Connection {
  return {
    size: BigInt(size),
    traits: { multiConn: true },
    read(target, offset) {
      const waits: Promise<void>[] = [];
      const start = Number(offset);
      const end = start + target.length;
      let done = start;
      for (let index = firstAt(regions, start); index < regions.length; index += 1) {
        const region = regions[index] as Region;
        if (region.offset >= end) break;
        const from = Math.max(region.offset, start);
        const to = Math.min(region.offset + region.length, end);
        target.fill(0, done - start, from - start);
        const wait = readRegion(region, target.subarray(from - start, to - start), from - region.offset, files);
        if (wait !== undefined) waits.push(wait as Promise<void>);
        done = to;
      }
      target.fill(0, done - start);
      return waits.length === 0 ? undefined : together(waits);
    },
    extents(offset, length) {
      const start = Number(offset);
      const end = start + Number(length);
      const holes: Extent[] = [];
      let done = start;
      const hole = (to: number): void => {
        if (to > done) holes.push({ offset: BigInt(done), length: BigInt(to - done), hole: true, zero: true });
      };
      for (let index = firstAt(regions, start); index < regions.length; index += 1) {
        const region = regions[index] as Region;
        if (region.offset >= end) break;
        hole(region.offset);
        done = region.offset + region.length;
      }
      hole(end);
      return holes;
    },
  };
}

function readRegion(region: Region, target: Uint8Array, at: number, files: OpenFiles): Awaitable<void> {
  if ("file" in region) return files.read(region.file, target, at);
  if ("fill" in region) return region.fill(target, at);
  target.set(region.bytes.subarray(at, at + target.length));
}

/** The first region that ends after an offset. */
function firstAt(regions: readonly Region[], offset: number): number {
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { offset: start, length } = regions[middle] as Region;
    if (start + length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
