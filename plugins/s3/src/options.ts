// The options of the plugin: what they may be, and what they are by default.

import {
  type Awaitable,
  type Clock,
  DiskError,
  type Duration,
  parseDuration,
  parseSize,
  type Secret,
  type Size,
  systemClock,
} from "diskwright";

/** A key to the service. */
export interface S3Credentials {
  /** Which key it is: this is no secret. */
  readonly accessKeyId: string;
  /** The secret that belongs to it. */
  readonly secretAccessKey: Secret;
  /** The token of keys that hold for a while. */
  readonly sessionToken?: Secret;
  /** Until when the key holds: a function is asked for another one a few minutes before. */
  readonly expiration?: Date;
}

/**
 * How the service encrypts what it stores: with a key of its own (`AES256`), with a key of its key management (`aws:kms`, or one of them by its id), or
 * with a key of 32 bytes that is sent along with each request, which services accept over https only.
 */
export type S3Encryption = "AES256" | "aws:kms" | { readonly kmsKeyId: string } | { readonly customerKey: Secret };

/** Where the disk is, and how it is reached. */
export interface S3Options {
  /** The bucket. */
  readonly bucket: string;
  /** The object that is the disk; in chunked mode, what the names of all its objects begin with, without the slash that follows. */
  readonly key: string;
  /** Which version of the object, in a bucket that keeps several. Default: the current one. */
  readonly versionId?: string;

  /** Bytes of a chunked disk. Default: those that it was made with. */
  readonly size?: Size;
  /** Bytes of each of its objects: a power of two from `4k` to `256M`. Default: those that it was made with. */
  readonly objectSize?: Size;
  /** The disk is made of many objects, and can be written. Default: whether `size` or `objectSize` is given. */
  readonly chunked?: boolean;

  /** The URL of the service. Default: that of AWS, or what the AWS settings of this machine say. */
  readonly endpoint?: string;
  /** Default: what the AWS settings of this machine say; with an `endpoint`, `us-east-1` where they say nothing. */
  readonly region?: string;
  /** The bucket stands in the path of URLs, not in the name of the host. Default: true with an `endpoint`, else false. */
  readonly pathStyle?: boolean;
  /**
   * Who asks: a key, a function that gets one, or `anonymous`. Default: as all AWS tools find it, from environment variables, `~/.aws`, or the machine's role.
   */
  readonly credentials?: S3Credentials | "anonymous" | (() => Awaitable<S3Credentials>);
  /** Which profile of `~/.aws` holds. Default: `AWS_PROFILE`, or `default`. */
  readonly profile?: string;
  /** Default: as the bucket does it. */
  readonly encryption?: S3Encryption;

  /** How often a request is tried before it has failed: 1 to 100. Default: 5. */
  readonly maxAttempts?: number;
  /** The wait before the second attempt, which doubles for each further one up to 10 s. Default: `100ms`. */
  readonly retryDelay?: Duration;
  /** How long a connection may take to be there. Default: `5s`. */
  readonly connectTimeout?: Duration;
  /** How long a request may stand still. Default: `30s`. */
  readonly timeout?: Duration;
  /** How many requests may be under way at once: 1 to 1000. Default: 16. */
  readonly concurrency?: number;

  /** Of a single object: bytes that one request fetches; more are fetched in several at once. Default: `1M`. */
  readonly partSize?: Size;
  /** Of a single object: bytes that are fetched ahead of a client that reads in sequence; 0 for none. Default: `8M`. */
  readonly readAhead?: Size;

  /** Of a chunked disk: bytes that are kept in memory, and may not be stored yet. With 0, writes are answered once they are stored. Default: `64M`. */
  readonly maxDirty?: Size;
  /**
   * Of a chunked disk: what is done about the object that says its size. `new`: it is written for new disks, and heeded where it is there. `always`: it is
   * also written for a disk that has none, such as one of nbdkit's. `never`: it is neither read nor written. Default: `new`.
   */
  readonly manifest?: "new" | "always" | "never";
  /** A chunked disk that was made with a smaller `size` gets this one. Default: false, and it is refused. */
  readonly grow?: boolean;
  /** Whoever writes a chunked disk takes its lease, so that there is only one. Default: true. */
  readonly lease?: boolean;
  /** For how long the lease of a writer holds that was not heard of again: `3s` to `1000s`. Default: `30s`. */
  readonly leaseTime?: Duration;
  /** How long to wait for a lease that somebody else has, before opening fails. Default: 0. */
  readonly leaseWait?: Duration;

  /** What tells the time and waits. Default: this machine's. */
  readonly clock?: Clock;
}

/** The options, checked; lengths of time are milliseconds. */
export interface Settings {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
  readonly chunked: boolean;
  readonly size: bigint | undefined;
  readonly objectSize: number | undefined;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly pathStyle: boolean;
  readonly credentials: S3Options["credentials"];
  readonly profile: string | undefined;
  readonly encryption: S3Encryption | undefined;
  readonly maxAttempts: number;
  readonly retryDelay: number;
  readonly connectTimeout: number;
  readonly timeout: number;
  readonly concurrency: number;
  readonly partSize: number;
  readonly readAhead: number;
  readonly maxDirty: number;
  readonly manifest: "new" | "always" | "never";
  readonly grow: boolean;
  readonly lease: boolean;
  readonly leaseTime: number;
  readonly leaseWait: number;
  readonly clock: Clock;
}

const SMALLEST_OBJECT = 4096n;
const LARGEST_OBJECT = 256n * 1024n * 1024n;
const LARGEST_MEMORY = 2n ** 40n;

/** Reads the options. Throws EINVAL when one is not what it should be. */
export function toSettings(options: S3Options): Settings {
  const { size, objectSize, chunked = size !== undefined || objectSize !== undefined, endpoint, versionId } = options;
  if (!chunked && (size !== undefined || objectSize !== undefined))
    throw refuse("size and objectSize", "they are of chunked disks, and chunked is false");
  if (chunked && versionId !== undefined) throw refuse(`versionId ${versionId}`, "only a single object has it, not a chunked disk");
  return {
    bucket: text(options.bucket, "bucket"),
    key: text(options.key, "key"),
    versionId,
    chunked,
    size: size === undefined ? undefined : parseSize(size, "size"),
    objectSize: objectSize === undefined ? undefined : toObjectSize(parseSize(objectSize, "objectSize")),
    endpoint: endpoint === undefined ? undefined : toEndpoint(endpoint),
    region: options.region,
    pathStyle: options.pathStyle ?? endpoint !== undefined,
    credentials: options.credentials,
    profile: options.profile,
    encryption: toEncryption(options.encryption),
    maxAttempts: whole(options.maxAttempts ?? 5, "maxAttempts", 1, 100),
    retryDelay: milliseconds(options.retryDelay ?? "100ms", "retryDelay", 0, 10),
    connectTimeout: milliseconds(options.connectTimeout ?? "5s", "connectTimeout", 0.001, 86_400),
    timeout: milliseconds(options.timeout ?? "30s", "timeout", 0.001, 86_400),
    concurrency: whole(options.concurrency ?? 16, "concurrency", 1, 1000),
    partSize: bytes(options.partSize ?? "1M", "partSize", 4096n, LARGEST_OBJECT),
    readAhead: bytes(options.readAhead ?? "8M", "readAhead", 0n, LARGEST_MEMORY),
    maxDirty: bytes(options.maxDirty ?? "64M", "maxDirty", 0n, LARGEST_MEMORY),
    manifest: oneOf(options.manifest ?? "new", "manifest", ["new", "always", "never"]),
    grow: options.grow ?? false,
    lease: options.lease ?? true,
    leaseTime: milliseconds(options.leaseTime ?? "30s", "leaseTime", 3, 1000),
    leaseWait: milliseconds(options.leaseWait ?? 0, "leaseWait", 0, 86_400),
    clock: options.clock ?? systemClock,
  };
}

/** Checks the size of a chunked disk's objects. Throws EINVAL when it cannot be that. */
export function toObjectSize(value: bigint): number {
  if (value >= SMALLEST_OBJECT && value <= LARGEST_OBJECT && (value & (value - 1n)) === 0n) return Number(value);
  throw refuse(`objectSize ${value}`, "expected a power of two from 4k to 256M");
}

function toEndpoint(value: string): string {
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  throw refuse(`endpoint ${JSON.stringify(value)}`, "expected a URL: https://s3.example.com");
}

function toEncryption(value: S3Encryption | undefined): S3Encryption | undefined {
  if (value === undefined || value === "AES256" || value === "aws:kms") return value;
  if (typeof value === "object" && value !== null && ("kmsKeyId" in value || "customerKey" in value)) return value;
  throw refuse("encryption", "expected AES256, aws:kms, { kmsKeyId } or { customerKey }");
}

function text(value: string, name: string): string {
  if (typeof value === "string" && value !== "" && Buffer.byteLength(value) <= 1024) return value;
  throw refuse(name, `expected its name, at most 1024 bytes, not ${value === undefined ? "nothing" : JSON.stringify(value)}`);
}

function whole(value: number, name: string, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw refuse(`${name} ${String(value)}`, `expected a whole number from ${least} to ${most}`);
}

function bytes(value: Size, name: string, least: bigint, most: bigint): number {
  const parsed = parseSize(value, name);
  if (parsed >= least && parsed <= most) return Number(parsed);
  throw refuse(`${name} ${parsed}`, `expected ${least} to ${most} bytes`);
}

function oneOf<T extends string>(value: T, name: string, words: readonly T[]): T {
  if (words.includes(value)) return value;
  throw refuse(`${name} ${JSON.stringify(value)}`, `expected ${words.join(", ")}`);
}

/** Reads a length of time; `least` and `most` are seconds. */
function milliseconds(value: Duration, name: string, least: number, most: number): number {
  const read = parseDuration(value, name);
  if (read >= least * 1000 && read <= most * 1000) return read;
  throw refuse(`${name} ${String(value)}`, `expected ${least} to ${most} seconds`);
}

function refuse(what: string, why: string): DiskError {
  return new DiskError("EINVAL", `${what}: ${why}`);
}
