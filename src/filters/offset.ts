// The offset filter: a part of a disk, by where it starts and how long it is.

import { sliceOf } from "../common/slice.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";

/** Which part of a disk {@link offset} serves. */
export interface OffsetOptions {
  /** Where it starts, in bytes. Default: 0. */
  readonly offset?: Size;
  /** How many bytes. Default: all that follow. */
  readonly range?: Size;
}

/**
 * Serves part of a disk, from `offset` for `range` bytes. A client for whom the disk is too short for that is refused.
 *
 * @throws DiskError EINVAL when an option is no size
 * @example 500 MiB of an image, after its first
 * ```ts
 * const disk = pipe(memory("1G"), offset({ offset: "1M", range: "500M" }));
 * ```
 */
export function offset(options: OffsetOptions = {}): Filter {
  const start = parseSize(options.offset ?? 0n, "offset");
  const range = options.range === undefined ? undefined : parseSize(options.range, "range");
  return filter("offset", (disk) => {
    if (start > disk.size) throw new DiskError("EINVAL", `offset ${start} is past the end of the disk (${disk.size} bytes)`);
    const size = range ?? disk.size - start;
    if (start + size > disk.size)
      throw new DiskError("EINVAL", `offset ${start} and range ${size} reach past the end of the disk (${disk.size} bytes)`);
    return sliceOf(disk, start, size);
  });
}
