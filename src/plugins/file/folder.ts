// A folder whose files are exports.

import { readdir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { DiskError, errorCode } from "../../contract/error.ts";
import type { ExportInfo } from "../../contract/plugin.ts";
import { noExport, type OpenFile, openPath } from "./open.ts";

/** Checks that there is such a folder. */
export async function checkFolder(folder: string): Promise<void> {
  const about = await stat(folder);
  if (!about.isDirectory()) throw Object.assign(new Error(`${folder} is no folder: expected one, for dir`), { code: "ENOTDIR" });
}

/** Lists what can be served of a folder, in the order of their names. */
export async function listFolder(folder: string): Promise<readonly ExportInfo[]> {
  const names: string[] = [];
  // Names that are no UTF-8 cannot be asked for.
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.includes("\ufffd")) continue;
    if (
      entry.isFile() ||
      entry.isBlockDevice() ||
      ((entry.isSymbolicLink() || isUnknown(entry)) && (await leadsToDisk(join(folder, entry.name))))
    ) {
      names.push(entry.name);
    }
  }
  return names.sort().map((name) => ({ name }));
}

/**
 * Opens a file of a folder.
 *
 * @throws DiskError when the name is none that may be asked for, or there is no such disk
 */
export async function openInFolder(folder: string, name: string, readonly: boolean): Promise<OpenFile> {
  if (name === "") throw new DiskError("ENOENT", "there is no default disk here: ask for one by its name");
  if (!isPlainName(name)) throw noExport(name);
  try {
    return await openPath(join(folder, name), readonly);
  } catch (error) {
    // What else is in the folder is not the client's business.
    const code = errorCode(error);
    if (code === "ENOENT" || code === "EINVAL" || code === "ENAMETOOLONG" || code === "ELOOP") throw noExport(name);
    throw error;
  }
}

/** Names that cannot lead out of the folder. */
function isPlainName(name: string): boolean {
  return name !== "." && name !== ".." && !/[/\0]/.test(name) && !name.includes(sep) && !(sep === "\\" && name.includes(":"));
}

/** Some file systems do not say what a name is of. */
function isUnknown(entry: { isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean; isCharacterDevice(): boolean }): boolean {
  return !entry.isDirectory() && !entry.isFIFO() && !entry.isSocket() && !entry.isCharacterDevice();
}

async function leadsToDisk(path: string): Promise<boolean> {
  try {
    const about = await stat(path);
    return about.isFile() || about.isBlockDevice();
  } catch {
    return false;
  }
}
