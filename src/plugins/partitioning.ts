// The partitioning plugin: disks as the partitions of one, with a partition table that is made up around them.

import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "../contract/plugin.ts";
import { parseSize, type Size } from "../contract/size.ts";
import { type DiskSource, Sources, toPlugin } from "./composed/sources.ts";
import { readGuid, stableGuid } from "./partitioning/guid.ts";
import { layOut } from "./partitioning/lay-out.ts";
import type { Wanted } from "./partitioning/wanted.ts";

/** A partition of a {@link partitioning} disk. */
export interface PartitionSource {
  /** What it holds: a path, a `file:` URL or a plugin, of which the default export is taken. */
  readonly source: DiskSource;
  /** It starts at a multiple of so many bytes: a power of two from 512 to 1M. Default: 1M. */
  readonly alignment?: Size;
  /** Its type in an MBR, a byte. Default: 0x83, Linux. */
  readonly mbrId?: number;
  /** Its type in a GPT. Default: `0FC63DAF-8483-4772-8E79-3D69D8477DE4`, Linux. */
  readonly typeGuid?: string;
  /** Its own GUID in a GPT. Default: one that is the same each time for a file of this path, or a plugin of this name, at this place in the list. */
  readonly guid?: string;
  /** What a GPT calls it, up to 36 characters of UTF-16. Default: the file's or the plugin's name. */
  readonly name?: string;
}

/** How a {@link partitioning} disk is made. */
export interface PartitioningOptions {
  /**
   * The kind of table. More than four partitions of an MBR are logical ones from the fourth on. Default: `gpt` for more than four partitions and for
   * more than 2 TB, else `mbr`.
   */
  readonly type?: "mbr" | "gpt";
  /** The disk's GUID in a GPT. Default: all zeroes. */
  readonly guid?: string;
}

/**
 * Disks as the partitions of one disk. Their table, and what lies between them, is made up: reading shows it, and what would change it fails with
 * EIO. All else goes to the disks, each with its holes. It can be written if all of them can.
 *
 * @param partitions - paths, `file:` URLs, plugins, or any of these with more said about them, in their order
 * @throws TypeError or DiskError EINVAL when one of them is none, or an option is impossible
 * @example
 * ```ts
 * const disk = partitioning(["boot.img", { source: "swap.img", mbrId: 0x82 }, { source: memory("1G"), name: "scratch" }]);
 * ```
 */
export function partitioning(partitions: readonly (DiskSource | PartitionSource)[], options: PartitioningOptions = {}): Plugin {
  if (!Array.isArray(partitions) || partitions.length === 0) throw new TypeError("partitioning: expected a list of at least one partition");
  const { type, guid } = options;
  if (type !== undefined && type !== "mbr" && type !== "gpt")
    throw new TypeError(`partitioning: type ${JSON.stringify(type)}: expected "mbr" or "gpt"`);
  const list = (partitions as readonly (DiskSource | PartitionSource)[]).map(toPartitionSource);
  const wanted = list.map(toWanted);
  const table = { type, guid: guid === undefined ? new Uint8Array(16) : readGuid(guid, "partitioning: guid") };
  const sources = new Sources(list.map(({ source }, index) => toPlugin(source, `partition ${index + 1}`)));
  return {
    name: "partitioning",
    start: (context) => sources.start(context),
    open: (request) => sources.open(request, (disks) => layOut(disks, wanted, table)),
    close: () => sources.close(),
  };
}

function toPartitionSource(partition: DiskSource | PartitionSource): PartitionSource {
  const isSource = typeof partition === "object" && partition !== null && "source" in partition;
  return isSource ? partition : { source: partition };
}

function toWanted(
  { source, alignment = ALIGNMENT, mbrId = LINUX, typeGuid = LINUX_GUID, guid, name }: PartitionSource,
  index: number,
): Wanted {
  const which = `partition ${index + 1}`;
  const known = nameOf(source);
  if (!Number.isInteger(mbrId) || mbrId < 0 || mbrId > 0xff)
    throw new TypeError(`${which}: mbrId ${String(mbrId)}: expected a byte, 0 to 0xff`);
  return {
    alignment: checkAlignment(parseSize(alignment, `${which}: alignment`), which),
    mbrId,
    typeGuid: readGuid(typeGuid, `${which}: typeGuid`),
    guid: guid === undefined ? stableGuid(`${index} ${known}`) : readGuid(guid, `${which}: guid`),
    name: String(name ?? basename(known)),
  };
}

const ALIGNMENT = 1024 * 1024;
const LINUX = 0x83;
const LINUX_GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

function checkAlignment(alignment: bigint, which: string): bigint {
  if (alignment >= 512n && alignment <= 2n ** 20n && (alignment & (alignment - 1n)) === 0n) return alignment;
  throw new TypeError(`${which}: alignment ${alignment}: expected a power of two from 512 to 1M`);
}

/** A path, or a plugin's name. */
function nameOf(source: DiskSource): string {
  if (source instanceof URL) return fileURLToPath(source);
  return typeof source === "string" ? source : String(source?.name);
}
