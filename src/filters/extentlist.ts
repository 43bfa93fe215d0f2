// The extentlist filter: what is data and what is a hole, by a list.

import { readFile } from "node:fs/promises";
import type { Extent } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { parseExtents, tiled } from "./extentlist/list.ts";

/**
 * Reports a fixed list of extents in place of what the disk knows of its holes. What the list does not name is a hole that reads as zeroes. The
 * list does not change with what is written: it is for disks that are only read.
 *
 * @param list - extents in any order, none over another; or the path of a text file with a line `offset length [hole,zero]` for each,
 * as nbdkit takes it, which is read when the disk is started
 * @throws DiskError EINVAL when extents overlap, or a line cannot be read
 * @example The first megabyte is data
 * ```ts
 * const disk = pipe(memory("10M"), extentList([{ offset: 0n, length: 1048576n }]));
 * ```
 */
export function extentList(list: string | Iterable<Extent>): Filter {
  if (typeof list !== "string" && typeof (list as Partial<Iterable<Extent>>)?.[Symbol.iterator] !== "function")
    throw new DiskError("EINVAL", `the extent list ${String(list)}: expected a path, or extents`);
  let extents: readonly Extent[] = typeof list === "string" ? [] : tiled(list);
  return filter("extentlist", () => ({ extents: (offset) => from(extents, offset) }), {
    async start() {
      if (typeof list === "string") extents = tiled(parseExtents(await readFile(list, "utf8")));
    },
  });
}

/** The extents from the one at `offset` on. They cover everything. */
function* from(extents: readonly Extent[], offset: bigint): Generator<Extent> {
  let low = 0;
  let high = extents.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((extents[middle] as Extent).offset <= offset) low = middle;
    else high = middle - 1;
  }
  for (let i = low; i < extents.length; i += 1) yield extents[i] as Extent;
}
