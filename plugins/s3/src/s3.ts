// The plugin: a disk in an object store that speaks the S3 protocol.

import { setMaxListeners } from "node:events";
import type { Plugin } from "diskwright";
import { ChunkedDisk } from "./chunks/disk.ts";
import { openObject } from "./object/disk.ts";
import { type S3Options, toSettings } from "./options.ts";
import { Bucket } from "./service/bucket.ts";

/**
 * A disk in an object store: Amazon S3, Ceph, or another that speaks its protocol.
 *
 * Without `objectSize` one object is a read-only disk. Its size and ETag are asked for when it is opened, and each request says which ETag it is
 * about: if the object is replaced meanwhile reads fail, and never give a mix of both.
 *
 * With `objectSize` the disk is made of many objects, `key/0000000000000000` and so on, as nbdkit's S3 plugin has them, and can be written. An object
 * that is missing reads as zeroes. What is written is kept in memory, up to `maxDirty`, until it is flushed. There may be any number of readers,
 * and one writer, who has the lease `key/diskwright-lease`.
 *
 * @throws DiskError EINVAL when an option is not what it should be. On opening: ENOENT, EACCES, EINVAL, EBUSY, ETIMEDOUT, each with a sentence
 * @example One object
 * ```ts
 * await using server = await serve(s3({ bucket: "images", key: "disk.img", region: "eu-central-1" }));
 * ```
 * @example A disk of 1 TiB that takes the room of what is written to it
 * ```ts
 * const disk = s3({ endpoint: "https://ceph.example.com", bucket: "disks", key: "vm1", size: "1T", objectSize: "1M" });
 * ```
 */
export function s3(options: S3Options): Plugin {
  const settings = toSettings(options);
  let bucket: Bucket | undefined;
  let disk: ChunkedDisk | undefined;
  const toBucket = (): Bucket => {
    bucket ??= new Bucket(settings);
    return bucket;
  };
  return {
    name: "s3",
    open(request) {
      // Each request under way listens to it, and Node takes more than ten for a mistake.
      setMaxListeners(0, request.signal);
      if (!settings.chunked) return openObject(toBucket(), settings, request.signal);
      disk ??= new ChunkedDisk(toBucket(), settings);
      return disk.open(request);
    },
    close() {
      bucket?.close();
      bucket = undefined;
      disk = undefined;
    },
  };
}
