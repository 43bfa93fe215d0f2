// A real file system to copy: this project's own sources.

import { writeFile } from "node:fs/promises";
import { fatImage } from "./fat.mjs";
import { find, run } from "./programs.mjs";

/**
 * Writes the image of a file system with the files of a folder: ext4 where there is mke2fs, else a FAT16 made here.
 *
 * @param {string} path - the image
 * @param {string} folder
 * @param {number} size - bytes
 * @returns {Promise<{ kind: string, checker: { name: string, check?: (path: string) => Promise<void> } }>} what it is, and what tells whether
 *   a copy is sound: `check` is absent where that program is not installed
 */
export async function makeImage(path, folder, size) {
  const mke2fs = await find("mke2fs");
  if (mke2fs === undefined) {
    await writeFile(path, fatImage(folder, size));
    return { kind: "FAT16 (made here: no mke2fs)", checker: await checker("fsck.fat", "-n") };
  }
  await run(mke2fs, "-q", "-t", "ext4", "-d", folder, path, `${size / 1024}k`);
  return { kind: "ext4 (mke2fs)", checker: await checker("e2fsck", "-f", "-n") };
}

/** What checks an image of this kind, if it is installed. */
async function checker(name, ...parameters) {
  const program = await find(name);
  return { name, check: program && ((path) => run(program, ...parameters, path)) };
}
