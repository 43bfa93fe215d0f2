// The map of a disk that keeps parts of itself: those, and between them what the disk below says.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Extent } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import type { ExtentFlags } from "../contract/flags.ts";

/** A part of the disk, from where one asked to `end`: as below, zeroes that take no room, or data. */
export interface Part {
  readonly end: bigint;
  readonly kind: "below" | "zero" | "data";
}

/** So many extents are enough for one answer; who asked goes on from where they end. */
const ENOUGH = 4096;

/**
 * Lists the extents from `start` to `end`.
 *
 * @param part - the part that begins at an offset
 */
export function mergedExtents(
  disk: Disk,
  start: bigint,
  end: bigint,
  flags: ExtentFlags,
  part: (offset: bigint, end: bigint) => Part,
): Awaitable<readonly Extent[]> {
  const list: Extent[] = [];
  let at = start;

  /** Adds parts up to one that has to be waited for. */
  const go = (): Awaitable<readonly Extent[]> => {
    while (at < end && list.length < (flags.reqOne ? 2 : ENOUGH)) {
      const { kind, end: stop } = part(at, end);
      if (kind === "below") {
        const below = disk.extents(at, stop - at, flags);
        if (isPromise(below)) return below.then(take).then(go);
        take(below);
      } else {
        add({ offset: at, length: stop - at, hole: kind === "zero", zero: kind === "zero" });
      }
    }
    return list;
  };
  const take = (below: readonly Extent[]): void => {
    for (const extent of below) add(extent);
  };
  /** Adds an extent; of neighbours of one kind it makes one, as a client that asks for one extent wants all of it. */
  const add = (extent: Extent): void => {
    const previous = list.at(-1);
    at = extent.offset + extent.length;
    if (previous !== undefined && previous.hole === extent.hole && previous.zero === extent.zero)
      list[list.length - 1] = { ...previous, length: previous.length + extent.length };
    else list.push(extent);
  };
  return go();
}
