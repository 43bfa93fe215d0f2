// Which file of a torrent is served: the one that was named, or the largest.

import { DiskError } from "diskwright";
import type { Metainfo, TorrentFile } from "./metainfo/metainfo.ts";

/**
 * Chooses the file.
 *
 * @param path - its path in the torrent, also with the torrent's name before it; `undefined`: the largest, or the first of those that are
 * @throws DiskError ENOENT with the files that there are
 */
export function chooseFile({ files, name, folder }: Metainfo, path: string | undefined): TorrentFile {
  const candidates = files.filter((file) => !file.padding);
  const found =
    path === undefined
      ? candidates.reduce<TorrentFile | undefined>(
          (best, file) => (best === undefined || file.length > best.length ? file : best),
          undefined,
        )
      : (candidates.find((file) => file.path === path) ?? candidates.find((file) => folder && `${name}/${file.path}` === path));
  if (found !== undefined) return found;
  const shown = candidates.slice(0, 10).map((file) => file.path);
  const more = candidates.length > shown.length ? ` and ${candidates.length - shown.length} more` : "";
  throw new DiskError("ENOENT", `the torrent ${name} has no file ${JSON.stringify(path)}: it has ${shown.join(", ")}${more}`);
}
