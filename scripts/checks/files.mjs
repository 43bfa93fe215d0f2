// The files of a tree.

import { readdirSync } from "node:fs";
import { join } from "node:path";

/** What git does not keep. */
const skipped = new Set(["node_modules", ".git", "dist", "temp", "coverage", "docs/api"]);

/**
 * Lists the files under `root/folder` as paths from `root` with forward slashes, sorted; none where there is no such folder.
 *
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
export function filesUnder(root, folder) {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
  return entries
    .map((entry) => ({ entry, path: folder === "" ? entry.name : `${folder}/${entry.name}` }))
    .filter(({ entry, path }) => !skipped.has(entry.name) && !skipped.has(path))
    .flatMap(({ entry, path }) => (entry.isDirectory() ? filesUnder(root, path) : [path]))
    .sort();
}
