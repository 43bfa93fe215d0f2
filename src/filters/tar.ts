// The tar filter: one file of a tar archive as a disk, where it lies.

import { sliceOf } from "../common/slice.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { MAX_SIZE, parseSize, type Size } from "../contract/size.ts";
import { findEntry } from "./tar/find.ts";

/** What {@link tar} serves of an archive. */
export interface TarOptions {
  /** The file's name, exactly as it stands in the archive: what `tar tf` prints. */
  readonly entry: string;
  /** How many bytes of the archive are searched for it. Default: all. */
  readonly limit?: Size;
}

/**
 * Serves one file of a tar archive. It is read and written where it lies, nothing is unpacked: what is written changes the archive, and the file's size
 * cannot change. Archives of GNU tar, of POSIX (ustar and pax) and of old programs are understood; the tar program is not needed. Of several entries
 * of one name the first is served.
 *
 * Clients are refused when there is no such entry (ENOENT), when it is no file with its bytes in the archive, such as a link, a folder or a sparse file
 * (EINVAL), and when the archive is damaged (EIO).
 *
 * @throws DiskError EINVAL when an option is not what it should be
 * @example A disk of a virtual appliance
 * ```ts
 * const disk = pipe(file("appliance.ova"), tar({ entry: "disk1.vmdk" }));
 * ```
 * @example One from a compressed archive, read-only
 * ```ts
 * const disk = pipe(file("images.tar.gz"), gzip(), tar({ entry: "disk.img" }));
 * ```
 */
export function tar(options: TarOptions): Filter {
  const { entry, limit } = options ?? {};
  if (typeof entry !== "string" || entry === "")
    throw new DiskError("EINVAL", `entry ${JSON.stringify(entry)}: expected the name of a file in the archive`);
  const most = limit === undefined ? MAX_SIZE : parseSize(limit, "limit");
  return filter("tar", async (disk, { signal }) => {
    const { offset, size } = await findEntry(disk, entry, most, signal);
    return sliceOf(disk, offset, size);
  });
}
