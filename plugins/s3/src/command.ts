// Exported as "@diskwright/s3/command": what `diskwright serve s3` finds, and `diskwright serve S3` as nbdkit calls it.

import { type Keys, type PluginEntry, pluginEntry } from "diskwright/command";
import type { S3Credentials, S3Options } from "./options.ts";
import { s3 } from "./s3.ts";

const keys = {
  bucket: { type: "string", required: true, help: "The bucket" },
  key: { type: "string", help: "The object, or what the names of a chunked disk's objects begin with" },
  "key-prefix": { type: "string", help: "The same, and the disk is chunked" },
  "version-id": { type: "string", help: "Which version of the object" },
  size: { type: "size", help: "Bytes of a chunked disk" },
  "object-size": { type: "size", help: "Bytes of each of its objects" },
  chunked: { type: "boolean", help: "The disk is made of many objects (default: whether a size is given)" },
  "endpoint-url": { type: "string", help: "The URL of the service (default: AWS)" },
  region: { type: "string", help: "The region (default: as for AWS tools)" },
  "path-style": { type: "boolean", help: "The bucket stands in the path of URLs (default: with endpoint-url)" },
  "access-key": { type: "secret", help: "The access key (default: credentials as for AWS tools)" },
  "secret-key": { type: "secret", help: "The secret key" },
  "session-token": { type: "secret", help: "The session token" },
  anonymous: { type: "boolean", default: "false", help: "Requests are not signed" },
  profile: { type: "string", help: "A profile of ~/.aws" },
  encryption: { type: "choice", values: ["AES256", "aws:kms"], help: "How the service encrypts what it stores" },
  "kms-key-id": { type: "string", help: "With which key of its key management" },
  "customer-key": { type: "secret", help: "With this key, 32 bytes in base64" },
  "max-attempts": { type: "integer", default: "5", help: "How often a request is tried" },
  "retry-delay": { type: "duration", default: "100ms", help: "The wait before the second attempt" },
  "connect-timeout": { type: "duration", default: "5", help: "How long a connection may take to be there" },
  timeout: { type: "duration", default: "30", help: "How long a request may stand still" },
  concurrency: { type: "integer", default: "16", help: "Requests that may be under way at once" },
  "part-size": { type: "size", default: "1M", help: "Bytes of an object that one request fetches" },
  "read-ahead": { type: "size", default: "8M", help: "Bytes of an object that are fetched ahead" },
  "max-dirty": { type: "size", default: "64M", help: "Bytes of a chunked disk that are kept in memory" },
  manifest: { type: "choice", values: ["new", "always", "never"], default: "new", help: "When a chunked disk's size is written down" },
  grow: { type: "boolean", default: "false", help: "A chunked disk gets the size, if that is larger" },
  lease: { type: "boolean", default: "true", help: "Keep a second writer out" },
  "lease-time": { type: "duration", default: "30", help: "For how long a writer that is gone keeps others out" },
  "lease-wait": { type: "duration", default: "0", help: "How long to wait for another writer" },
} as const satisfies Keys;

function entry(name: string, summary: string): PluginEntry {
  return pluginEntry({
    name,
    summary,
    keys,
    create(given) {
      const key = given.key ?? given["key-prefix"];
      if (key === undefined) throw new Error("give key, or key-prefix");
      if (given.key !== undefined && given["key-prefix"] !== undefined) throw new Error("give key or key-prefix, not both");
      const options: { -readonly [K in keyof S3Options]: S3Options[K] | undefined } = {
        bucket: given.bucket,
        key,
        versionId: given["version-id"],
        size: given.size,
        objectSize: given["object-size"],
        chunked: given.chunked ?? (given["key-prefix"] === undefined ? undefined : true),
        endpoint: given["endpoint-url"],
        region: given.region,
        pathStyle: given["path-style"],
        credentials: toCredentials(given),
        profile: given.profile,
        encryption: toEncryption(given),
        maxAttempts: given["max-attempts"],
        retryDelay: given["retry-delay"],
        connectTimeout: given["connect-timeout"],
        timeout: given.timeout,
        concurrency: given.concurrency,
        partSize: given["part-size"],
        readAhead: given["read-ahead"],
        maxDirty: given["max-dirty"],
        manifest: given.manifest,
        grow: given.grow,
        lease: given.lease,
        leaseTime: given["lease-time"],
        leaseWait: given["lease-wait"],
      };
      return s3(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as S3Options);
    },
  });
}

interface CredentialKeys {
  readonly "access-key"?: string;
  readonly "secret-key"?: string;
  readonly "session-token"?: string;
  readonly anonymous?: boolean;
}

function toCredentials(given: CredentialKeys): S3Credentials | "anonymous" | undefined {
  const { "access-key": accessKeyId, "secret-key": secretAccessKey, "session-token": sessionToken } = given;
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined)
    return given.anonymous === true ? "anonymous" : undefined;
  if (given.anonymous === true) throw new Error("give keys or anonymous=true, not both");
  if (accessKeyId === undefined || secretAccessKey === undefined) throw new Error("give access-key and secret-key together");
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

interface EncryptionKeys {
  readonly encryption?: "AES256" | "aws:kms";
  readonly "kms-key-id"?: string;
  readonly "customer-key"?: string;
}

function toEncryption({ encryption, "kms-key-id": kmsKeyId, "customer-key": customerKey }: EncryptionKeys): S3Options["encryption"] {
  if (customerKey !== undefined) {
    if (encryption !== undefined || kmsKeyId !== undefined) throw new Error("give customer-key or encryption, not both");
    return { customerKey: Buffer.from(customerKey, "base64") };
  }
  return kmsKeyId === undefined ? encryption : { kmsKeyId };
}

/** The plugins of this package, as the command line has them. */
export const plugins: readonly PluginEntry[] = [
  entry("S3", "The same as s3, as nbdkit calls it"),
  entry("s3", "One object, or a bucket full of them, as a disk"),
];
