// The mkfs programs: where they are, and how each is told to format a file without asking.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { DiskError } from "diskwright";

interface FileSystem {
  /** Arguments that make it quiet, and go ahead although it is no block device, or holds something already. */
  readonly force?: readonly string[];
  /** The option for the label; `false`: it has none. Default: -L. */
  readonly label?: string | false;
  /** Bytes of a longer label are cut off without an error. */
  readonly longestLabel?: number;
  /** Seen to format a file that is named /proc/self/fd/N, so that it needs no other name. */
  readonly byDescriptor?: true;
}

const ext: FileSystem = { force: ["-q", "-F"], longestLabel: 16, byDescriptor: true };
const fat: FileSystem = { force: ["-I"], label: "-n", byDescriptor: true };

/** What differs, by the manual pages of the programs. */
const fileSystems: Readonly<Record<string, FileSystem>> = {
  bcachefs: { force: ["-q", "-f"] },
  bfs: { label: "-V", byDescriptor: true },
  btrfs: { force: ["-q", "-f"], byDescriptor: true },
  exfat: {},
  ext2: ext,
  ext3: ext,
  ext4: ext,
  f2fs: { force: ["-q", "-f"], label: "-l" },
  fat,
  hfsplus: { label: "-v" },
  jfs: { force: ["-q"] },
  minix: { label: false, byDescriptor: true },
  msdos: fat,
  nilfs2: { force: ["-q", "-f"] },
  ntfs: { force: ["-q", "-Q", "-F"] },
  reiserfs: { force: ["-q", "-ff"], label: "-l" },
  udf: { label: "-l" },
  vfat: fat,
  xfs: { force: ["-q", "-f"], byDescriptor: true },
};

/** How a file system is made. */
export interface Mkfs {
  /** `mkfs.ext4` */
  readonly name: string;
  /** The path of a file is to follow. */
  readonly args: readonly string[];
  readonly byDescriptor: boolean;
}

/**
 * Chooses the arguments for a file system; one that is not known gets none but the label's.
 *
 * @throws DiskError EINVAL when it cannot have such a label
 */
export function mkfsFor(type: string, label: string | undefined, params: readonly string[]): Mkfs {
  const { force = [], label: option = "-L", longestLabel = Infinity, byDescriptor = false } = own(type);
  const labelled = label === undefined ? [] : [labelOption(type, option), label];
  if (label !== undefined && Buffer.byteLength(label) > longestLabel)
    throw new DiskError("EINVAL", `label ${JSON.stringify(label)}: ${type} has labels of at most ${longestLabel} bytes`);
  return { name: `mkfs.${type}`, args: [...force, ...labelled, ...params], byDescriptor };
}

function own(type: string): FileSystem {
  return Object.hasOwn(fileSystems, type) ? (fileSystems[type] as FileSystem) : {};
}

function labelOption(type: string, option: string | false): string {
  if (option !== false) return option;
  throw new DiskError("EINVAL", `label: ${type} has no labels`);
}

/** The PATH with the folders of administrators' programs, which other users' often lacks. */
export function searchPath(path: string = process.env.PATH ?? "/usr/bin:/bin"): string {
  const folders = path.split(delimiter);
  return [...folders, ...["/usr/local/sbin", "/usr/sbin", "/sbin"].filter((folder) => !folders.includes(folder))].join(delimiter);
}

/**
 * Looks for a program.
 *
 * @throws Error ENOENT saying what to do when there is none
 */
export function findProgram(name: string): string {
  for (const folder of searchPath().split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // It may be in the next.
    }
  }
  const text = `tmpdisk: there is no ${name} on the PATH or in /usr/sbin: install the programs of that file system, choose another type, or give a command`;
  throw Object.assign(new Error(text), { code: "ENOENT" });
}
