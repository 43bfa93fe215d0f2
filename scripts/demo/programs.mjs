// Other people's programs, where they are installed.

import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
// Debian keeps mke2fs and e2fsck where only root looks. The tests of the demo hide all of them.
const folders = process.env.DISKWRIGHT_DEMO_PATH?.split(delimiter) ?? [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];

/** Where a program is; `undefined` when it is not installed. @param {string} name */
export async function find(name) {
  for (const folder of folders) {
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

/** Runs a program; throws with what it said when it fails. @param {string} path @param {readonly string[]} parameters */
export async function run(path, ...parameters) {
  try {
    await execute(path, parameters);
  } catch (error) {
    throw new Error(`${[path, ...parameters].join(" ")}: ${error.stderr?.trim() || error.stdout?.trim() || error.message}`, {
      cause: error,
    });
  }
}
