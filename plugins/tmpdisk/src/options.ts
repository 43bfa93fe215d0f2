// What a tmpdisk is told, and what is wrong with it.

import { resolve } from "node:path";
import { type Awaitable, DiskError, type Duration, parseDuration, parseSize, type Size } from "diskwright";

/** What a {@link Format} function gets beside the path. */
export interface FormatContext {
  /** Bytes: the size that was asked for. */
  readonly size: bigint;
  /** Aborted when the client leaves, the server closes, or the time is up. */
  readonly signal: AbortSignal;
}

/**
 * Makes a disk: at `path` is a sparse file of `size` bytes, which it may fill, resize or replace. The disk is what is there once it is done.
 */
export type Format = (path: string, context: FormatContext) => Awaitable<void>;

/** How {@link tmpdisk} makes its disks. Without `command` and `format` they are formatted by `mkfs.TYPE`. */
export interface TmpdiskOptions {
  /** The file system: `ext4`, `ext2`, `ext3`, `xfs`, `btrfs`, `vfat`, or any other of which there is a `mkfs.TYPE`. Default: `ext4`. */
  readonly type?: string;
  /** The file system's label. Default: none. */
  readonly label?: string;
  /** Further arguments of `mkfs.TYPE`: `["-N", "10000"]`. Default: none. */
  readonly params?: readonly string[];
  /**
   * A shell script that makes the disk instead: it creates the file `"$disk"`. `$size` is the size in bytes, which need not be heeded; `$type` and
   * `$label` are there if they were given.
   */
  readonly command?: string;
  /** Further variables for the command, by their names. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** A function that makes the disk instead. */
  readonly format?: Format;
  /** Where the files are. Default: `TMPDIR`, or else `/var/tmp`. */
  readonly directory?: string;
  /** How many disks are kept ready for clients to come, 0 to 1000. Default: 0, each client waits for its own. */
  readonly ready?: number;
  /** Bytes that all disks may have together, the ready ones too. A client for whose disk there is no room is refused with ENOSPC. Default: no limit. */
  readonly maxTotal?: Size;
  /** The longest that making a disk may take; 0 is no limit. Default: 300 (seconds). */
  readonly timeout?: Duration;
  /** Writes are made in the event loop while the page cache takes them at once, as `file()` has it. Default: false. */
  readonly inlineWrites?: boolean;
}

/** The same, checked. */
export interface Settings {
  /** Bytes. */
  readonly size: bigint;
  readonly type: string | undefined;
  readonly label: string | undefined;
  readonly params: readonly string[];
  readonly command: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly format: Format | undefined;
  readonly directory: string | undefined;
  readonly ready: number;
  /** Bytes. */
  readonly maxTotal: bigint | undefined;
  /** Milliseconds; Infinity: no limit. */
  readonly timeout: number;
  readonly inlineWrites: boolean;
}

/** Files are set to a length that is a number. */
const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);
const MOST_READY = 1000;

/** Checks what was given. */
export function checkOptions(given: Size, options: TmpdiskOptions): Settings {
  const { command, format, params = [], parameters = {}, directory, ready = 0, inlineWrites = false } = options;
  const size = parseSize(given, "size");
  if (size > LARGEST) throw refuse("size", `${size}`, `a file has at most ${LARGEST} bytes`);
  if (command !== undefined && (typeof command !== "string" || command === "" || command.includes("\0")))
    throw refuse("command", shown(command), "expected a shell script");
  if (format !== undefined && typeof format !== "function") throw refuse("format", shown(format), "expected a function");
  if (command !== undefined && format !== undefined) throw new DiskError("EINVAL", "either command or format, not both");
  const byMkfs = command === undefined && format === undefined;
  if (byMkfs && size === 0n) throw refuse("size", "0", "a file system takes some room (0 is for commands that choose the size)");

  const type = text("type", options.type);
  if (type !== undefined && byMkfs && !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(type))
    throw refuse("type", shown(type), "expected the name of a file system as in mkfs.NAME: ext4, xfs, btrfs, vfat");
  const label = text("label", options.label);
  if (format !== undefined && (type !== undefined || label !== undefined))
    throw new DiskError("EINVAL", "type and label are not for format, which makes the disk as it likes");
  if (!Array.isArray(params)) throw refuse("params", shown(params), "expected a list of arguments");
  for (const param of params)
    if (text("params", param) === undefined) throw refuse("params", shown(param), "expected arguments as strings");
  if (!byMkfs && params.length > 0) throw refuse("params", shown(params.join(" ")), "they are for mkfs, which is not run here");
  if (typeof parameters !== "object" || parameters === null) throw refuse("parameters", shown(parameters), "expected names and values");
  for (const [name, value] of Object.entries(parameters)) checkVariable(name, value, command !== undefined);

  if (!Number.isInteger(ready) || ready < 0 || ready > MOST_READY)
    throw refuse("ready", shown(ready), `expected a number of disks, 0 to ${MOST_READY}`);
  if (typeof inlineWrites !== "boolean") throw refuse("inlineWrites", shown(inlineWrites), "expected true or false");
  const maxTotal = options.maxTotal === undefined ? undefined : parseSize(options.maxTotal, "maxTotal");
  if (maxTotal !== undefined && maxTotal < size)
    throw refuse("maxTotal", `${maxTotal}`, `that is less than one disk takes (${size} bytes)`);
  const folder = text("directory", directory);
  return {
    size,
    type,
    label: label === "" ? undefined : label,
    params,
    command,
    parameters,
    format,
    directory: folder === undefined || folder === "" ? undefined : resolve(folder),
    ready,
    maxTotal,
    timeout: parseDuration(options.timeout ?? 300, "timeout") || Infinity,
    inlineWrites,
  };
}

/** Variables of the command: the shell has to be able to name them. */
function checkVariable(name: string, value: unknown, forCommand: boolean): void {
  if (!forCommand)
    throw new DiskError("EINVAL", `${name} is no option of tmpdisk, and there is no command for which it could be a variable`);
  if (name === "disk" || name === "size") throw new DiskError("EINVAL", `the variable ${name} is not to be set: the command is told`);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new DiskError("EINVAL", `${JSON.stringify(name)} cannot be a variable of the shell: expected letters, digits and _`);
  if (text(name, value) === undefined) throw refuse(name, shown(value), "expected a text");
}

function text(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && !value.includes("\0")) return value;
  throw refuse(name, shown(value), "expected a text without NUL");
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function refuse(name: string, value: string, why: string): DiskError {
  return new DiskError("EINVAL", `${name} ${value}: ${why}`);
}
