// Lists of extents: read from text, put in order, their gaps filled.

import type { Extent } from "../../contract/connection.ts";
import { DiskError } from "../../contract/error.ts";
import { MAX_SIZE, parseSize } from "../../contract/size.ts";

const types: Readonly<Partial<Record<string, Pick<Extent, "hole" | "zero">>>> = {
  "0": {},
  "1": { hole: true },
  "2": { zero: true },
  "3": { hole: true, zero: true },
  data: {},
  hole: { hole: true },
  zero: { zero: true },
  "hole,zero": { hole: true, zero: true },
  "zero,hole": { hole: true, zero: true },
};

/**
 * Reads lines of the form `offset length [type]`: sizes with suffixes, and `hole`, `zero`, `hole,zero` or the number 0 to 3. Empty lines and
 * what follows a `#` are skipped.
 *
 * @throws DiskError EINVAL with the number of the line that cannot be read
 */
export function parseExtents(text: string): Extent[] {
  const extents: Extent[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [offset, length, ...type] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (offset === undefined || offset === "") continue;
    const where = `line ${index + 1} of the extent list`;
    const word = type.join("") || "0";
    const kind = Object.hasOwn(types, word) ? types[word] : undefined;
    if (length === undefined || kind === undefined) {
      throw new DiskError("EINVAL", `${where}, ${JSON.stringify(line)}: expected an offset, a length, and hole, zero or hole,zero`);
    }
    const extent = { offset: parseSize(offset, `${where}: offset`), length: parseSize(length, `${where}: length`), ...kind };
    if (extent.length > 0n) extents.push(extent);
  }
  return extents;
}

/**
 * The extents in order, with holes where nothing is named, from 0 to the end of the largest disk.
 *
 * @throws DiskError EINVAL when one is no extent, or lies over another
 */
export function tiled(list: Iterable<Extent>): readonly Extent[] {
  const sorted = [...list].sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0));
  const result: Extent[] = [];
  let end = 0n;
  const gap = (to: bigint): void => {
    if (to > end) result.push({ offset: end, length: to - end, hole: true, zero: true });
  };
  for (const { offset, length, hole = false, zero = false } of sorted) {
    if (typeof offset !== "bigint" || typeof length !== "bigint" || offset < 0n || length <= 0n) {
      throw new DiskError(
        "EINVAL",
        `the extent list has ${String(length)} bytes at ${String(offset)}: expected bigints, and a length of at least 1n`,
      );
    }
    if (offset < end) throw new DiskError("EINVAL", `the extent list has two extents at ${offset}: they must not overlap`);
    gap(offset);
    result.push({ offset, length, hole, zero });
    end = offset + length;
  }
  gap(MAX_SIZE);
  return result;
}
