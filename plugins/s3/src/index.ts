// @diskwright/s3: disks in an object store.

export type { S3Credentials, S3Encryption, S3Options } from "./options.ts";
export { s3 } from "./s3.ts";
