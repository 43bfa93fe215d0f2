// The options of the plugin: what they may be, and what becomes of them.

import { resolve } from "node:path";
import { DiskError, type Duration, parseDuration, parseSize, type Secret, type Size } from "diskwright";
import type { CreateSpec, OpenSpec, RemoteSpec } from "./jobs.ts";

/** How {@link vddk} opens a disk. */
export interface VddkOptions {
  /** Folder of VMware's distribution (`vmware-vix-disklib-distrib`). Default: `/usr/lib/vmware-vix-disklib`, as nbdkit has it. */
  readonly libdir?: string;
  /** A configuration file of the library's, for log levels, buffers and timeouts. Default: those that the library looks for itself. */
  readonly config?: string;
  /** Name or address of an ESXi host or vCenter. With it the disk is a remote one, without it a local file. */
  readonly server?: string;
  /** The virtual machine that the disk belongs to: `moref=vm-16`, or just `vm-16`. Needed with `server`. */
  readonly vm?: string;
  /** Who to log in as. Needed with `server`, unless there is a `cookie`. */
  readonly user?: string;
  /** The password: a value, or a function that is asked for it whenever the disk is opened. Needed with `server`, unless there is a `cookie`. */
  readonly password?: Secret;
  /** The cookie of a session on the server that is logged in already (`vmware_soap_session`), instead of logging in. A value or a function. */
  readonly cookie?: Secret;
  /** SHA-1 fingerprint of the server's certificate, `xx:xx:…`. Needed with `server`. */
  readonly thumbprint?: string;
  /** Reference of the snapshot that the disk is to be read of. */
  readonly snapshot?: string;
  /** Ways to get at the disk, `:` between them, the best first: `hotadd:nbdssl`. Default: what the library finds best. */
  readonly transports?: string;
  /** Port of the server. Default: the library's, 443. */
  readonly port?: number;
  /** Port for data of the ESXi host. Default: the library's, 902. */
  readonly nfcHostPort?: number;
  /** How data are compressed between library and server. Default: `none`. */
  readonly compression?: Compression;
  /** Open only the last link of a chain of disks, rather than all of it. Holes then do not count as zeroes. Default: false. */
  readonly singleLink?: boolean;
  /** The host does not cache. Default: false. */
  readonly unbuffered?: boolean;
  /** Make a new local disk when it is opened for the first time; there must not be one yet. */
  readonly create?: CreateOptions;
  /**
   * Run the library in a process of its own for each open disk. `false`: in threads of this process. That saves memory; but a library that crashes takes
   * this process with it, one that hangs keeps it from ending, and the libraries that come with it are only found through `LD_LIBRARY_PATH`.
   * Default: true.
   */
  readonly isolated?: boolean;
  /** How long a call of the library may take, in seconds, or `"40ms"`. After that it is given up, with its disk. Default: 120. */
  readonly timeout?: Duration;
}

/** A new local disk. */
export interface CreateOptions {
  /** Bytes, a multiple of 512. */
  readonly size: Size;
  /** Default: `monolithic-sparse`. */
  readonly type?: CreateType;
  /** Default: `scsi-buslogic`. */
  readonly adapterType?: AdapterType;
  /** The oldest product that is to understand it. Default: `workstation5`. */
  readonly hwVersion?: HardwareVersion;
}

// The numbers of the library's header.
export const compressions: Readonly<Record<Compression, number>> = { none: 0, zlib: 16, fastlz: 32, skipz: 64 };
export const createTypes: Readonly<Record<CreateType, number>> = {
  "monolithic-sparse": 1,
  "monolithic-flat": 2,
  "split-sparse": 3,
  "split-flat": 4,
  "vmfs-flat": 5,
  "stream-optimized": 6,
  "vmfs-thin": 7,
  "vmfs-sparse": 8,
};
export const adapterTypes: Readonly<Record<AdapterType, number>> = { ide: 1, "scsi-buslogic": 2, "scsi-lsilogic": 3 };
export const hardwareVersions: Readonly<Record<HardwareVersion, number>> = {
  workstation4: 3,
  workstation5: 4,
  workstation6: 6,
  esx30: 4,
  esx4x: 7,
  esx50: 8,
  esx51: 9,
  esx55: 10,
  esx60: 11,
  esx65: 13,
};
const openFlags = { unbuffered: 1, singleLink: 2, readonly: 4 };

/** Ways to compress. */
export type Compression = "none" | "zlib" | "fastlz" | "skipz";
/** Layouts of new disks. */
export type CreateType =
  | "monolithic-sparse"
  | "monolithic-flat"
  | "split-sparse"
  | "split-flat"
  | "vmfs-flat"
  | "stream-optimized"
  | "vmfs-thin"
  | "vmfs-sparse";
/** Adapters that a new disk says it is at. */
export type AdapterType = "ide" | "scsi-buslogic" | "scsi-lsilogic";
/** Versions of virtual hardware. */
export type HardwareVersion =
  | "workstation4"
  | "workstation5"
  | "workstation6"
  | "esx30"
  | "esx4x"
  | "esx50"
  | "esx51"
  | "esx55"
  | "esx60"
  | "esx65";

/** Milliseconds that a timer can count. */
const LONGEST = 2 ** 31 - 1;

/** The options, read. */
export interface Settings {
  readonly file: string;
  readonly libdir: string | undefined;
  readonly config: string | null;
  readonly isolated: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly singleLink: boolean;
  readonly create: CreateSpec | undefined;
  readonly password: Secret | undefined;
  readonly cookie: Secret | undefined;
  /** How to open the disk, but for what is secret. */
  spec(readonly: boolean): OpenSpec;
}

/** Reads the options. Throws EINVAL when one is not what it should be. */
export function toSettings(file: string, options: VddkOptions): Settings {
  if (typeof file !== "string" || file === "") throw refuse("file", file, 'a path, or "[datastore] folder/disk.vmdk"');
  const { libdir, config, compression = "none", singleLink = false, unbuffered = false, isolated = true } = options;
  for (const key of texts) text(options, key);
  for (const key of ["singleLink", "unbuffered", "isolated"] as const) {
    if (options[key] !== undefined && typeof options[key] !== "boolean") throw refuse(key, options[key], "true or false");
  }
  const timeout = parseDuration(options.timeout ?? 120, "timeout");
  if (timeout === 0 || timeout > LONGEST) throw refuse("timeout", options.timeout, "a length of time, more than 0 and less than 24 days");
  const remote = remoteOf(options);
  const create = options.create === undefined ? undefined : createOf(options.create, remote);
  const path = remote === undefined ? resolve(file) : file;
  const flags =
    pick(compressions, "compression", compression) + (singleLink ? openFlags.singleLink : 0) + (unbuffered ? openFlags.unbuffered : 0);
  const { snapshot, transports, password, cookie } = options;
  return {
    file: path,
    libdir: libdir === undefined ? undefined : resolve(libdir),
    config: config === undefined ? null : resolve(config),
    isolated,
    timeout,
    singleLink,
    create,
    password,
    cookie,
    spec: (readonly) => ({
      file: path,
      readonly,
      flags: flags + (readonly ? openFlags.readonly : 0),
      ...(remote && { remote }),
      ...(snapshot !== undefined && { snapshot }),
      ...(transports !== undefined && { transports }),
    }),
  };
}

const texts = ["libdir", "config", "server", "vm", "user", "thumbprint", "snapshot", "transports"] as const;
/** What only a remote disk has, and what one of them makes no sense without. */
const remoteKeys = ["vm", "user", "password", "cookie", "thumbprint", "port", "nfcHostPort"] as const;

function remoteOf(options: VddkOptions): RemoteSpec | undefined {
  const { server, vm, user, password, cookie, thumbprint, port = 0, nfcHostPort = 0 } = options;
  if (server === undefined) {
    const stray = remoteKeys.find((key) => options[key] !== undefined);
    if (stray === undefined) return undefined;
    throw new DiskError("EINVAL", `option ${stray} is for remote disks, and there is no server`);
  }
  const missing = (key: string): DiskError => new DiskError("EINVAL", `a disk on server ${JSON.stringify(server)} needs the option ${key}`);
  if (vm === undefined) throw missing("vm");
  if (thumbprint === undefined) throw missing("thumbprint");
  if (cookie === undefined && user === undefined) throw missing("user (or cookie)");
  if (cookie === undefined && password === undefined) throw missing("password (or cookie)");
  for (const [key, value] of Object.entries({ password, cookie })) {
    if (value === undefined || typeof value === "string" || typeof value === "function" || value instanceof Uint8Array) continue;
    throw new DiskError("EINVAL", `option ${key}: expected a string, a Uint8Array or a function, not ${typeof value}`);
  }
  for (const [key, value] of Object.entries({ port, nfcHostPort })) {
    if (!Number.isInteger(value) || value < 0 || value > 65535) throw refuse(key, value, "1 to 65535");
  }
  const moref = vm.includes("=") ? vm : `moref=${vm}`;
  return { vm: moref, server, thumbprint, ...(user !== undefined && { user }), port, nfcHostPort };
}

function createOf(options: CreateOptions, remote: RemoteSpec | undefined): CreateSpec {
  if (remote !== undefined) throw new DiskError("EINVAL", "option create makes local files only, and there is a server");
  const { type = "monolithic-sparse", adapterType = "scsi-buslogic", hwVersion = "workstation5" } = options;
  const size = parseSize(options.size, "create.size");
  if (size === 0n || size % 512n !== 0n) throw refuse("create.size", size, "a multiple of 512 bytes");
  return {
    type: pick(createTypes, "create.type", type),
    adapter: pick(adapterTypes, "create.adapterType", adapterType),
    hardware: pick(hardwareVersions, "create.hwVersion", hwVersion),
    sectors: size / 512n,
  };
}

function text(options: VddkOptions, key: (typeof texts)[number]): void {
  const value: unknown = options[key];
  if (value === undefined || (typeof value === "string" && value !== "" && !value.includes("\0"))) return;
  throw refuse(key, value, "a text that is not empty");
}

function pick<T extends Readonly<Record<string, number>>>(words: T, key: string, word: keyof T & string): number {
  const value = Object.hasOwn(words, word) ? words[word] : undefined;
  if (value === undefined) throw refuse(key, word, Object.keys(words).join(", "));
  return value;
}

function refuse(key: string, value: unknown, allowed: string): DiskError {
  return new DiskError("EINVAL", `option ${key} ${typeof value === "string" ? JSON.stringify(value) : String(value)}: expected ${allowed}`);
}
