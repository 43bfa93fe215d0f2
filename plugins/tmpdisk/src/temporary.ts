// Temporary files: one without a name, and private folders for those who need a name. What processes that were killed left behind is removed.

import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, unlinkSync } from "node:fs";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether a file that has no name any more can be opened by its descriptor: `/proc/self/fd/3`. */
export const opensDescriptors: boolean = process.platform === "linux" && existsSync("/proc/self/fd");

/** `TMPDIR`, or `/var/tmp` where there is one, as `/tmp` is often kept in memory; elsewhere what the system says. */
export function temporaryFolder(): string {
  const { TMPDIR } = process.env;
  if (TMPDIR !== undefined && TMPDIR !== "") return TMPDIR;
  return process.platform !== "win32" && existsSync("/var/tmp") ? "/var/tmp" : tmpdir();
}

/**
 * Makes an empty file that only this user may open, and takes its name away: it is gone when it is closed, however this process ends.
 *
 * @returns its file descriptor
 */
export function openUnnamed(folder: string): number {
  const path = join(folder, `${PREFIX}${identity() ?? "file"}-${randomUUID()}`);
  try {
    const fd = openSync(path, "wx+", 0o600);
    try {
      unlinkSync(path);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return fd;
  } catch (error) {
    throw noFile(error, folder);
  }
}

/** Makes a folder that only this user may enter, with a name that tells later runs whose it is. */
export async function makeFolder(folder: string): Promise<string> {
  try {
    return await mkdtemp(join(folder, `${PREFIX}${identity() ?? "folder"}-`));
  } catch (error) {
    throw noFile(error, folder);
  }
}

/** No DiskError: the folder's name is not a client's business. */
function noFile(error: unknown, folder: string): Error {
  const { code = "EIO", message } = error as NodeJS.ErrnoException;
  const text = `tmpdisk: cannot make a temporary file in ${folder} (TMPDIR or the option directory names another folder): ${message}`;
  return Object.assign(new Error(text, { cause: error }), { code });
}

const PREFIX = "diskwright-tmpdisk-";

/**
 * Removes what processes have left behind that are certainly gone: of this user, since this machine was started, of the same process namespace, and
 * with a process number that nobody has any more, or another process by now. What others left stays.
 */
export async function sweep(folder: string): Promise<void> {
  const here = place();
  if (here === undefined) return;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [boot, namespace, pid, start] = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split("-") : [];
    if (boot !== here.boot || namespace !== here.namespace || !/^\d+$/.test(pid ?? "") || !/^\d+$/.test(start ?? "")) continue;
    if (startOf(pid as string) === start) continue;
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    // One that cannot be removed stays; the next run tries again.
    if (found?.uid === process.getuid?.()) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Which process this is, among all that may use the folder; `undefined`: nobody can tell here. */
function identity(): string | undefined {
  const here = place();
  const start = startOf("self");
  return here === undefined || start === undefined ? undefined : `${here.boot}-${here.namespace}-${process.pid}-${start}`;
}

/** Where process numbers are those of this process: this run of the machine, and a process namespace by the number of its file. */
function place(): { readonly boot: string; readonly namespace: string } | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().replaceAll("-", "");
    const namespace = /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0];
    return namespace === undefined ? undefined : { boot, namespace };
  } catch {
    return undefined;
  }
}

/** When a process began, in ticks since the machine did: field 22 of proc_pid_stat(5), after a name that may hold anything. */
function startOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
