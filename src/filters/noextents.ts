// The noextents filter: a disk that says nothing of its holes.

import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/**
 * Has a disk say that all of it is data: for disks that find out about their holes slowly, and to test clients.
 *
 * @example
 * ```ts
 * const disk = pipe(memory("1G"), noextents());
 * ```
 */
export function noextents(): Filter {
  return filter("noextents", () => ({ extents: undefined }));
}
