// Finding the header of a disk, whichever version it is.

import type { Disk } from "../../contract/disk.ts";
import type { LuksHeader } from "./header.ts";
import { at1, HEADER1_SIZE, MAGIC, parseHeader1 } from "./header1.ts";
import { readHeader2 } from "./header2.ts";
import { parseMetadata2 } from "./metadata2.ts";
import { readRange } from "./read-range.ts";
import { refused } from "./refused.ts";

/**
 * Reads and checks the header.
 *
 * @throws DiskError EINVAL when there is none, or it is damaged or not supported
 */
export async function readHeader(disk: Disk): Promise<LuksHeader> {
  if (disk.size < HEADER1_SIZE) throw refused(`this is no LUKS disk: ${disk.size} bytes are too few for a header`);
  const start = await readRange(disk, 0n, HEADER1_SIZE, "the header");
  const version = MAGIC.every((byte, index) => byte === start[index])
    ? new DataView(start.buffer, start.byteOffset).getUint16(at1.version)
    : undefined;
  if (version === 1) return parseHeader1(start, disk.size);
  // Of LUKS2 there is a second header, also where nothing is left of the first.
  const header = await readHeader2(disk);
  if (header !== undefined) return parseMetadata2(header, disk.size);
  if (version === undefined) throw refused("this is no LUKS disk: it does not begin with the header of one");
  throw refused(version === 2 ? "the header is cut short" : `LUKS version ${version} is not supported: 1 and 2 are`);
}
