// The object that says what a chunked disk is: its size, and that of its objects. A disk that was made with others cannot be taken for what it is not.

import { DiskError, parseSize } from "diskwright";
import { type Settings, toObjectSize } from "../options.ts";
import type { Bucket } from "../service/bucket.ts";
import type { Names } from "./names.ts";

/** The shape of a disk. */
export interface Geometry {
  /** Bytes of the disk. */
  readonly size: bigint;
  /** Bytes of each of its objects. */
  readonly objectSize: number;
}

const FORMAT = "diskwright chunked disk";
const VERSION = 1;

/**
 * Finds out what a disk is; says so in the bucket if it is a new one.
 *
 * @param writable - new disks may be made, and others may grow
 * @throws DiskError EINVAL when the disk is not what the options say; ENOENT when there is none, and none may be made
 */
export async function settleGeometry(
  bucket: Bucket,
  names: Names,
  settings: Settings,
  writable: boolean,
  signal: AbortSignal,
): Promise<Geometry> {
  const asked = { size: settings.size, objectSize: settings.objectSize };
  const where = bucket.nameOf(names.prefix);
  if (settings.manifest === "never") return complete(asked, where, "without a manifest");
  const found = await bucket.readSmall(names.manifest, signal);
  if (found !== undefined) {
    const kept = parse(found.text, bucket.nameOf(names.manifest));
    if (agrees(kept, asked)) return kept;
    const grown = { size: asked.size ?? kept.size, objectSize: kept.objectSize };
    if (!agrees(grown, asked) || grown.size < kept.size || !settings.grow || !writable)
      throw disagreement(where, kept, asked, settings.grow);
    await write(bucket, names, grown, { ifMatch: found.etag }, signal);
    return grown;
  }
  const objects = await firstObjects(bucket, names, signal);
  if (objects.length === 0) {
    if (!writable) throw new DiskError("ENOENT", `there is no disk at ${where}, and one that is opened for reading is not made`);
    const made = complete(asked, where, "for a new disk");
    await write(bucket, names, made, { ifNoneMatch: "*" }, signal);
    return made;
  }
  // A disk of nbdkit's: nothing says what it is but its objects.
  const made = complete(asked, where, "as it has no manifest");
  const wrong = objects.find(({ number, size }) => size !== made.objectSize || BigInt(number) * BigInt(made.objectSize) >= made.size);
  if (wrong !== undefined) {
    const what = wrong.size === made.objectSize ? "lies past the end of the disk" : `has ${wrong.size} bytes`;
    throw new DiskError(
      "EINVAL",
      `the disk at ${where} is not one of ${made.size} bytes in objects of ${made.objectSize}: ${bucket.nameOf(names.of(wrong.number))} ${what}`,
    );
  }
  if (settings.manifest === "always" && writable) await write(bucket, names, made, { ifNoneMatch: "*" }, signal);
  return made;
}

type Asked = { readonly size: bigint | undefined; readonly objectSize: number | undefined };

function complete({ size, objectSize }: Asked, where: string, why: string): Geometry {
  if (size !== undefined && objectSize !== undefined) return { size, objectSize };
  throw new DiskError("EINVAL", `${why}, size and objectSize must be given (${where})`);
}

function agrees(kept: Geometry, { size, objectSize }: Asked): boolean {
  return (size === undefined || size === kept.size) && (objectSize === undefined || objectSize === kept.objectSize);
}

function disagreement(where: string, kept: Geometry, asked: Asked, grow: boolean): DiskError {
  const { size = kept.size, objectSize = kept.objectSize } = asked;
  const larger = objectSize === kept.objectSize && size > kept.size && !grow;
  const advice = larger ? ", or have it grow (grow)" : "";
  return new DiskError(
    "EINVAL",
    `the disk at ${where} was made with size ${kept.size} and objectSize ${kept.objectSize}, not ${size} and ${objectSize}: leave them out${advice}`,
  );
}

async function write(
  bucket: Bucket,
  names: Names,
  { size, objectSize }: Geometry,
  condition: { readonly ifMatch: string } | { readonly ifNoneMatch: "*" },
  signal: AbortSignal,
): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, version: VERSION, size: String(size), objectSize })}\n`;
  const written = await bucket.writeIf(names.manifest, Buffer.from(text), condition, signal);
  if (written !== "conflict") return;
  // It may have been us, if the answer to our first attempt was lost.
  const found = await bucket.readSmall(names.manifest, signal);
  if (found?.text === text) return;
  throw new DiskError("EINVAL", `somebody else made or changed the disk at ${bucket.nameOf(names.prefix)} at this moment: open it again`);
}

function parse(text: string, name: string): Geometry {
  try {
    const { format, version, size, objectSize } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (format === FORMAT && version === VERSION)
      return { size: parseSize(String(size)), objectSize: toObjectSize(BigInt(objectSize as number)) };
  } catch {
    // Said below.
  }
  throw new DiskError("EINVAL", `${name} is no manifest that this version understands`);
}

/** The objects of the disk among the first that are listed. */
async function firstObjects(
  bucket: Bucket,
  names: Names,
  signal: AbortSignal,
): Promise<{ readonly number: number; readonly size: number }[]> {
  for await (const page of bucket.list(names.prefix, undefined, signal)) {
    const found = page.flatMap(({ key, size }) => {
      const number = names.numberOf(key);
      return number === undefined ? [] : [{ number, size }];
    });
    if (found.length > 0) return found;
  }
  return [];
}
