// The JSON of a LUKS2 header: keyslots, segments, digests and what is asked of those who open the disk.
// LUKS2 On-Disk Format Specification 1.1.4, chapter 3.

import { DiskError, errorText } from "../../contract/error.ts";
import { hashSize, parseEncryption, quoted } from "./encryption.ts";
import { overlap } from "./fields.ts";
import type { Digest, Kdf, Keyslot, LuksHeader, Segment } from "./header.ts";
import { areaSize, checkStripes } from "./header1.ts";
import { BINARY_SIZE, type Header2 } from "./header2.ts";
import { JsonFields } from "./json-fields.ts";
import { checkIterations, checkKdf } from "./limits.ts";
import { refused } from "./refused.ts";

const MAX_KEYSLOTS = 32;
const MAX_SEGMENTS = 32;
const MAX_KEYSLOTS_SIZE = 128n * 1024n * 1024n;

/**
 * Reads the metadata of a LUKS2 header.
 *
 * @param size - bytes of the disk
 * @throws DiskError EINVAL when a field is impossible, or asks for what is not supported
 */
export function parseMetadata2(header: Header2, size: bigint): LuksHeader {
  const root = new JsonFields(parseJson(header.json), "");
  const area = checkConfig(root.object("config"), header);
  const digests = [...root.numbered("digests")].map(([, fields]) => readDigest(fields));
  const { keyslots, unusable } = readKeyslots(root, area, digests);
  const segments = readSegments(root, area.end, size, digests, keyslots);
  return { version: 2, uuid: header.uuid, label: header.label, keyslots, unusable, segments, bytes: header.bytes };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The error's own text would show parts of the header.
    throw new DiskError("EINVAL", "luks: the header's JSON cannot be read", { cause: error });
  }
}

interface Area {
  readonly start: bigint;
  readonly end: bigint;
}

/** Where keyslots may be. */
function checkConfig(config: JsonFields, { size }: Header2): Area {
  if (config.uint64("json_size") !== BigInt(size - BINARY_SIZE)) throw refused("the header's config.json_size is not that of the header");
  const required = config.has("requirements") ? config.object("requirements").strings("mandatory") : [];
  if (required.length > 0) throw refused(`the disk requires what is not supported: ${required.slice(0, 4).map(quoted).join(", ")}`);
  const keyslotsSize = config.uint64("keyslots_size");
  if (keyslotsSize > MAX_KEYSLOTS_SIZE)
    throw refused(`the header's config.keyslots_size ${keyslotsSize} is more than ${MAX_KEYSLOTS_SIZE}`);
  const start = BigInt(2 * size);
  return { start, end: start + keyslotsSize };
}

interface DigestEntry {
  readonly digest: Digest;
  readonly keyslots: readonly string[];
  readonly segments: readonly string[];
}

function readDigest(fields: JsonFields): DigestEntry {
  const type = fields.string("type");
  if (type !== "pbkdf2") throw refused(`the header's ${fields.path} is of type ${quoted(type)}: pbkdf2 is supported`);
  const hash = fields.string("hash");
  hashSize(hash, `the header's ${fields.path}`);
  const iterations = fields.integer("iterations");
  checkIterations({ iterations }, `the header's ${fields.path}`);
  const digest: Digest = { type, hash, iterations, salt: fields.bytes("salt", 8, 512), value: fields.bytes("digest", 20, 64) };
  return { digest, keyslots: fields.strings("keyslots"), segments: fields.strings("segments") };
}

function readKeyslots(root: JsonFields, area: Area, digests: readonly DigestEntry[]): Required<Pick<LuksHeader, "keyslots" | "unusable">> {
  const keyslots: Keyslot[] = [];
  const unusable = new Map<number, string>();
  const areas: (Area & { readonly id: number })[] = [];
  for (const [id, fields] of root.numbered("keyslots")) {
    if (id >= MAX_KEYSLOTS) throw refused(`the header has a keyslot ${id}: expected 0 to ${MAX_KEYSLOTS - 1}`);
    const own = { id, ...readArea(fields.object("area"), area) };
    const other = areas.find((before) => overlap(before, own));
    if (other !== undefined) throw refused(`keyslots ${other.id} and ${id} overlap`);
    areas.push(own);
    const digest = digests.find((entry) => entry.keyslots.includes(String(id)))?.digest;
    // One that no digest has opens nothing on this disk.
    if (digest === undefined || fields.string("type") !== "luks2") continue;
    try {
      keyslots.push(readKeyslot(id, fields, own, digest));
    } catch (error) {
      // The others may open the disk all the same.
      unusable.set(id, errorText(error).replace(/^luks: /, ""));
    }
  }
  return { keyslots, unusable };
}

function readArea(fields: JsonFields, { start, end }: Area): Area {
  const offset = fields.uint64("offset");
  const size = fields.uint64("size");
  if (offset < start || offset + size > end) {
    throw refused(`the header's ${fields.path} lies from ${offset} to ${offset + size}: keyslots are between ${start} and ${end}`);
  }
  return { start: offset, end: offset + size };
}

function readKeyslot(id: number, fields: JsonFields, { start, end }: Area, digest: Digest): Keyslot {
  const where = `keyslot ${id}`;
  const keySize = fields.integer("key_size");
  if (keySize < 1 || keySize > 64) throw refused(`${where} holds a key of ${keySize} bytes: expected 1 to 64`);
  const area = fields.object("area");
  const encryption = parseEncryption(area.string("encryption"), area.integer("key_size"), where);
  const splitter = fields.object("af");
  const splitHash = splitter.string("hash");
  hashSize(splitHash, where);
  const stripes = checkStripes(splitter.integer("stripes"), where);
  if (splitter.string("type") !== "luks1") throw refused(`${where} is split in an unknown way: luks1 is supported`);
  if (BigInt(areaSize(keySize, stripes)) > end - start)
    throw refused(`${where} is too small for a key of ${keySize} bytes in ${stripes} stripes`);
  const kdf = readKdf(fields.object("kdf"), where);
  return { id, priority: readPriority(fields), keySize, kdf, stripes, splitHash, offset: start, encryption, digest };
}

function readPriority(fields: JsonFields): Keyslot["priority"] {
  if (!fields.has("priority")) return 1;
  const priority = fields.integer("priority");
  if (priority !== 0 && priority !== 1 && priority !== 2) throw refused(`the header's ${fields.path}.priority is not 0, 1 or 2`);
  return priority;
}

function readKdf(fields: JsonFields, where: string): Kdf {
  const type = fields.string("type");
  const salt = fields.bytes("salt", 8, 512);
  let kdf: Kdf;
  switch (type) {
    case "pbkdf2":
      kdf = { type, hash: fields.string("hash"), iterations: fields.integer("iterations"), salt };
      hashSize(kdf.hash, where);
      break;
    case "argon2i":
    case "argon2id":
      kdf = { type, passes: fields.integer("time"), memory: fields.integer("memory"), lanes: fields.integer("cpus"), salt };
      break;
    default:
      throw refused(`${where} derives its key by ${quoted(type)}: supported are argon2id, argon2i and pbkdf2`);
  }
  checkKdf(kdf, where);
  return kdf;
}

function readSegments(
  root: JsonFields,
  metadataEnd: bigint,
  diskSize: bigint,
  digests: readonly DigestEntry[],
  keyslots: readonly Keyslot[],
): readonly Segment[] {
  const entries = [...root.numbered("segments")]
    .filter(([, fields]) => !fields.strings("flags").some((flag) => flag.startsWith("backup-")))
    .toSorted(([a], [b]) => a - b);
  if (entries.length === 0 || entries.length > MAX_SEGMENTS)
    throw refused(`the header has ${entries.length} segments: expected 1 to ${MAX_SEGMENTS}`);
  const segments: Segment[] = [];
  for (const [index, [id, fields]] of entries.entries()) {
    const digest = digests.find((entry) => entry.segments.includes(String(id)))?.digest;
    if (digest === undefined) throw refused(`segment ${id} has no digest: its key cannot be known`);
    // The key is as long as the keyslots that hold it say; where none can be opened, that will be the error.
    const keySize = keyslots.find((keyslot) => keyslot.digest === digest)?.keySize;
    const segment = readSegment(id, fields, { metadataEnd, diskSize, digest, keySize, last: index === entries.length - 1 });
    const other = keyslots.find((keyslot) => keyslot.digest === digest && keyslot.keySize !== segment.encryption.keySize);
    if (other !== undefined)
      throw refused(`keyslot ${other.id} holds a key of ${other.keySize} bytes, which is not the size that segment ${id} needs`);
    const range = (each: Segment): Area => ({ start: each.offset, end: each.offset + each.length });
    if (segments.some((before) => overlap(range(before), range(segment)))) throw refused(`segment ${id} overlaps another one`);
    segments.push(segment);
  }
  return segments;
}

interface SegmentContext {
  readonly metadataEnd: bigint;
  readonly diskSize: bigint;
  readonly digest: Digest;
  readonly keySize: number | undefined;
  readonly last: boolean;
}

function readSegment(id: number, fields: JsonFields, { metadataEnd, diskSize, digest, keySize, last }: SegmentContext): Segment {
  const where = `segment ${id}`;
  const type = fields.string("type");
  if (type !== "crypt") throw refused(`${where} is of type ${quoted(type)}: crypt is supported`);
  if (fields.has("integrity")) throw refused(`${where} has integrity protection (dm-integrity), which is not supported`);
  const sectorSize = fields.integer("sector_size");
  if (![512, 1024, 2048, 4096].includes(sectorSize))
    throw refused(`${where} has sectors of ${sectorSize} bytes: expected 512, 1024, 2048 or 4096`);
  const offset = fields.uint64("offset");
  if (offset === 0n) throw refused("the disk holds a detached header only: its data are elsewhere, which is not supported");
  if (offset < metadataEnd || offset > diskSize || offset % 512n !== 0n) {
    throw refused(
      `${where} begins at ${offset}: expected a whole sector between the end of the header (${metadataEnd}) and of the disk (${diskSize})`,
    );
  }
  const firstSector = fields.uint64("iv_tweak");
  const name = fields.string("encryption");
  const encryption = parseEncryption(name, keySize ?? (name.includes("-xts-") ? 64 : 32), where);
  return { offset, length: lengthOf(fields, where, offset, { diskSize, sectorSize, last }), firstSector, sectorSize, encryption, digest };
}

function lengthOf(
  fields: JsonFields,
  where: string,
  offset: bigint,
  { diskSize, sectorSize, last }: { readonly diskSize: bigint; readonly sectorSize: number; readonly last: boolean },
): bigint {
  const step = BigInt(sectorSize);
  if (fields.string("size") === "dynamic") {
    if (!last) throw refused(`${where} goes to the end of the disk, and is not the last one`);
    return diskSize - offset - ((diskSize - offset) % step);
  }
  const length = fields.uint64("size");
  if (length === 0n || length % step !== 0n) throw refused(`${where} has ${length} bytes: expected whole sectors of ${sectorSize}`);
  if (offset + length > diskSize) throw refused(`${where} ends at ${offset + length}, past the end of the disk (${diskSize} bytes)`);
  return length;
}
