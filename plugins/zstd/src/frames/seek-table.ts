// The table at the end of a seekable file: "Zstandard Seekable Format", version 0.1.0.

import type { Disk } from "diskwright";
import { readRange } from "../source.ts";
import { FormatError } from "./format-error.ts";
import { Frames } from "./frames.ts";
import { littleEndian, SKIPPABLE } from "./header.ts";

const FOOTER = 9;
const SEEKABLE_MAGIC = 0x8f92eab1;
/** The longest table that is read: that of more than ten million frames. */
const LONGEST_TABLE = 128 * 1024 * 1024;

/**
 * Reads the table, if there is one.
 *
 * @throws FormatError when it is not as it should be
 */
export async function readSeekTable(disk: Disk): Promise<Frames | undefined> {
  const size = Number(disk.size);
  if (size < 8 + FOOTER) return undefined;
  const footer = await readRange(disk, size - FOOTER, FOOTER);
  if (littleEndian(footer, 5, 4) !== SEEKABLE_MAGIC) return undefined;
  const count = littleEndian(footer, 0, 4);
  const descriptor = footer[4] as number;
  if ((descriptor & 0x7c) !== 0) throw new FormatError("its seek table uses bits that are not defined: it may need a newer version");
  const withChecksums = (descriptor & 0x80) !== 0;
  const entry = withChecksums ? 12 : 8;
  const length = count * entry + FOOTER;
  if (length > LONGEST_TABLE) throw new FormatError(`its seek table takes ${length} bytes, more than are read (${LONGEST_TABLE})`);
  const at = size - length - 8;
  if (at < 0) throw new FormatError("its seek table is longer than the file");
  const table = await readRange(disk, at, length + 8);
  if (littleEndian(table, 0, 4) !== SKIPPABLE + 0xe || littleEndian(table, 4, 4) !== length) {
    throw new FormatError("its seek table does not begin as it should");
  }
  const frames = new Frames();
  let position = 0;
  for (let i = 0; i < count; i += 1) {
    const where = 8 + i * entry;
    const compressed = littleEndian(table, where, 4);
    const checksum = withChecksums ? littleEndian(table, where + 8, 4) : undefined;
    frames.add(position, compressed, littleEndian(table, where + 4, 4), checksum);
    position += compressed;
  }
  if (position !== at) throw new FormatError(`the frames of its seek table take ${position} bytes, and there are ${at}`);
  return frames;
}
