// Disks as the partitions of one.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readPartitionTable } from "../../src/common/partition-table.ts";
import { type DiskSource, memory, openDisk, type PartitionSource, type Plugin, partition, partitioning, pipe } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { over, pattern, pluginOf, thrownBy } from "../contract/fixtures.ts";
import { run } from "../fixtures/run.ts";
import { expectBothRefuse, type Shown, shown } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 2 ** 20;
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/** The kit writes where it likes, so it gets one partition of a partitioned disk. */
describe.each([
  ["the partition of an MBR", "mbr", 2],
  ["a logical partition", "mbr", 6],
  ["the partition of a GPT", "gpt", 3],
] as const)("%s", (_, type, number) => {
  const factory = (): Plugin =>
    pipe(
      partitioning(
        ["1M", 699_904, "1M", "64k", "1M", "1M"].map((size) => memory(size)),
        { type },
      ),
      partition(number),
    );
  testPlugin({ test, factory, persistent: true, expect: { write: true, flush: true, trim: true, multiConn: true } });
});

describe("a whole partitioned disk that is read-only", () => {
  const parts = [pattern(700_001), pattern(5), pattern(MiB)];
  const source = (bytes: Uint8Array): Plugin => pluginOf({ ...over(bytes), traits: { readonly: true } });
  testPlugin({ test, factory: () => partitioning(parts.map(source)) });
});

describe("the table", () => {
  test("of up to four partitions is an MBR, of more a GPT", async () => {
    expect(await tableOf(sizes(1, 2, 3, 4))).toMatchObject({ kind: "MBR" });
    expect(await tableOf(sizes(1, 2, 3, 4, 5))).toMatchObject({ kind: "GPT" });
  });

  test("of more than 2 TB is a GPT", async () => {
    const limit = 0xffffffffn * 512n - 5n * 2n ** 20n;
    expect(await tableOf([memory(limit)])).toMatchObject({ kind: "MBR" });
    expect(await tableOf([memory(limit + 1n)])).toMatchObject({ kind: "GPT" });
    await expect(openDisk(partitioning([memory(limit + 1n)], { type: "mbr" }))).rejects.toThrow(
      /more than the 2 TB that an MBR can tell of/,
    );
  });

  test("of an MBR with more than four has logical partitions", async () => {
    const table = await tableOf(sizes(1000, 2000, 3000, 4000, 5000, 6000), { type: "mbr" });
    expect(
      table.partitions.map(({ number, offset, length, extended }) => [
        number,
        Number(offset) / 512,
        Number(length) / 512,
        extended === true,
      ]),
    ).toEqual([
      [1, 2048, 2, false],
      [2, 4096, 4, false],
      [3, 6144, 6, false],
      [4, 6150, 6150, true],
      [5, 8192, 8, false],
      [6, 10240, 10, false],
      [7, 12288, 12, false],
    ]);
  });

  test("says types, names and GUIDs", async () => {
    const table = await tableOf(
      [
        { source: memory(512), typeGuid: "{C12A7328-F81F-11D2-BA4B-00A0C93EC93B}", name: "ESP ☃" },
        { source: memory(512), name: "a name that is much too long to fit into an entry" },
        { source: memory(512), guid: "00112233-4455-6677-8899-AABBCCDDEEFF", alignment: 4096 },
      ],
      { type: "gpt", guid: "01234567-89ab-cdef-0123-456789abcdef" },
    );
    expect(table.partitions).toMatchObject([
      { type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", name: "ESP ☃" },
      { type: LINUX, name: "a name that is much too long to fit " },
      { type: LINUX, name: "memory", offset: BigInt(2 * MiB + 4096) },
    ]);
    const mbr = await tableOf([{ source: memory(512), mbrId: 0x82 }, memory(512)]);
    expect(mbr.partitions).toMatchObject([{ type: "0x82" }, { type: "0x83" }]);
  });

  test("is the same each time", async () => {
    const [a, b] = await Promise.all([1, 2].map(() => bytesOf(sizes(1, 1, 1, 1, 1))));
    expect(Buffer.compare(a as Buffer, b as Buffer)).toBe(0);
  });

  test("of hundreds of partitions grows", async () => {
    const many = Array.from({ length: 300 }, () => ({ source: memory(512), alignment: 512 }));
    const table = await tableOf(many);
    expect(table.partitions).toHaveLength(300);
    expect(table.damage).toBeUndefined();
    const logical = await tableOf(many.slice(0, 100), { type: "mbr" });
    expect(logical.partitions).toHaveLength(101);
  });
});

describe("writing", () => {
  test("goes to the partitions; the table and what lies between cannot change", async () => {
    const path = join(tree({ part: "" }), "part");
    writeFileSync(path, pattern(1000));
    await using disk = await openDisk(partitioning([path, memory(1000)]));
    await disk.write(Buffer.from("here"), BigInt(MiB + 996));
    expect(readFileSync(path).subarray(996).toString()).toBe("here");
    expect(await thrownBy(() => disk.write(Buffer.from("x"), 0n))).toMatchObject({
      code: "EIO",
      offset: 0n,
      message: "the partition table cannot be changed: it is made up, and of no disk",
    });
    expect(await thrownBy(() => disk.write(Buffer.from("abcd"), BigInt(MiB + 998)))).toMatchObject({
      code: "EIO",
      offset: BigInt(MiB + 1000),
    });
    expect(readFileSync(path).subarray(998).toString(), "nothing was written").toBe("re");
    expect(await thrownBy(() => disk.zero(0n, 512n))).toMatchObject({ code: "EIO" });
    expect(readFileSync(path)).toHaveLength(1000);
  });

  test("what is there already is no change", async () => {
    await using disk = await openDisk(partitioning([memory(1000), memory(1000)]));
    const before = Buffer.alloc(Number(disk.size));
    await disk.read(before, 0n);
    await disk.write(before, 0n);
    await disk.zero(512n, BigInt(MiB));
    await disk.trim(0n, disk.size);
    const after = Buffer.alloc(Number(disk.size));
    await disk.read(after, 0n);
    expect(Buffer.compare(after, before)).toBe(0);
  });
});

test("what lies between partitions is a hole", async () => {
  await using disk = await openDisk(partitioning([pluginOf(over(pattern(1000))), memory(65536)]));
  const kinds = (await disk.extents(0n, disk.size)).map(({ offset, length, hole }) => `${hole ? "hole" : "data"} ${offset}+${length}`);
  expect(kinds).toEqual(["data 0+512", `hole 512+${MiB - 512}`, `data ${MiB}+1000`, `hole ${MiB + 1000}+${MiB - 1000 + 65536}`]);
});

test("an empty partition is refused", async () => {
  await expect(openDisk(partitioning([memory(512), memory(0)]))).rejects.toThrow(
    "partition 2 (memory) is empty: expected at least one byte",
  );
});

test.each([
  [[], {}, /a list of at least one partition/],
  ["x", {}, /a list of at least one partition/],
  [[7], {}, /partition 1 is neither a path nor a plugin/],
  [[{ source: undefined }], {}, /partition 1 is neither a path nor a plugin/],
  [["a"], { type: "apm" }, /type "apm": expected "mbr" or "gpt"/],
  [["a"], { guid: "7" }, /guid "7": expected a GUID like/],
  [[{ source: "a", alignment: 0 }], {}, /partition 1: alignment 0: expected a power of two from 512 to 1M/],
  [[{ source: "a", alignment: "3k" }], {}, /alignment 3072/],
  [[{ source: "a", alignment: "2M" }], {}, /alignment 2097152/],
  [["b", { source: "a", mbrId: 256 }], {}, /partition 2: mbrId 256: expected a byte/],
  [[{ source: "a", typeGuid: "linux" }], {}, /partition 1: typeGuid "linux": expected a GUID/],
])("partitioning(%j, %j) is refused", (partitions, options, message) => {
  expect(() => partitioning(partitions as DiskSource[], options as object)).toThrow(message);
});

describeWith(["sgdisk", "sfdisk"], "other tools", () => {
  test.each([1, 3, 6, 130])("find nothing wrong with a GPT of %i partitions", async (count) => {
    const path = await image(
      Array.from({ length: count }, (_, i) => ({ source: memory(i * 700 + 1), alignment: 4096 })),
      "gpt",
    );
    const { stdout } = await run("sgdisk", ["-v", path], { status: "any" });
    expect(stdout).toMatch(/No problems found/);
    expect((await run("sfdisk", ["--dump", path])).stdout.match(/start=/g)).toHaveLength(count);
  });

  test.each([1, 4, 5, 20])("find nothing wrong with an MBR of %i partitions", async (count) => {
    const path = await image(
      Array.from({ length: count }, (_, i) => memory(i * 700 + 1)),
      "mbr",
    );
    const { stdout, stderr } = await run("sfdisk", ["--verify", path]);
    expect(`${stdout}${stderr}`).toMatch(/No errors detected/);
    expect((await run("sfdisk", ["--dump", path])).stdout.match(/start=/g)).toHaveLength(count > 4 ? count + 1 : count);
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "partitioning and nbdkit's", () => {
  test.each([
    [["part1"]],
    [["part1", "mbr-id=0x82", "part2", "mbr-id=default", "part3", "mbr-id=7", "part4"]],
    [["partition-type=mbr", "part1", "part2", "part3", "part4", "part5"]],
    [
      [
        "partition-type=mbr",
        "alignment=512",
        "part1",
        "part2",
        "alignment=4k",
        "part3",
        "part4",
        "part5",
        "alignment=1M",
        "part6",
        "part7",
      ],
    ],
  ])("are the same MBR: %j", async (argv) => {
    const [theirs, ours] = await bothShow(argv);
    expect(ours.length).toBe(theirs.length);
    expect(firstDifference(ours, theirs)).toBe(-1);
  });

  test.each([
    [["partition-type=gpt", "part1"]],
    [["part1", "part2", "part3", "part4", "part5", "part6"]],
    [
      [
        "partition-type=gpt",
        "alignment=512",
        "part1",
        "type-guid=c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        "part2",
        "type-guid=default",
        "part3",
      ],
    ],
  ])("are the same GPT but for GUIDs and names: %j", async (argv) => {
    const [theirs, ours] = await bothShow(argv);
    expect(ours.length).toBe(theirs.length);
    expect(firstDifference(comparable(ours), comparable(theirs))).toBe(-1);
  });

  test.each([
    [["empty"]],
    [["alignment=100", "part1"]],
    [["alignment=2M", "part1"]],
    [["mbr-id=0x100", "part1"]],
    [["type-guid=linux", "part1"]],
    [["partition-type=apm", "part1"]],
    [[]],
  ])("refuse %j", async (argv) => {
    await expectBothRefuse(["partitioning", ...absolute(argv)]);
  });
});

/** Memory disks of so many bytes. */
function sizes(...bytes: number[]): Plugin[] {
  return bytes.map((size) => memory(size));
}

async function tableOf(partitions: readonly (DiskSource | PartitionSource)[], options = {}): ReturnType<typeof readPartitionTable> {
  await using disk = await openDisk(partitioning(partitions, options));
  return await readPartitionTable(disk);
}

async function bytesOf(partitions: readonly (DiskSource | PartitionSource)[], options = {}): Promise<Buffer> {
  await using disk = await openDisk(partitioning(partitions, options));
  const bytes = Buffer.alloc(Number(disk.size));
  await disk.read(bytes, 0n);
  return bytes;
}

async function image(partitions: readonly (DiskSource | PartitionSource)[], type: "mbr" | "gpt"): Promise<string> {
  const path = join(tree(), "disk");
  writeFileSync(path, await bytesOf(partitions, { type }));
  return path;
}

/** The words that are names of files as paths of such files. */
function absolute(argv: readonly string[]): string[] {
  const folder = join(tree(), "parts");
  mkdirSync(folder);
  writeFileSync(join(folder, "empty"), "");
  for (let i = 1; i < 8; i += 1) writeFileSync(join(folder, `part${i}`), pattern(i * 1000));
  return argv.map((word) => (word.includes("=") ? word : join(folder, word)));
}

async function bothShow(argv: readonly string[]): Promise<readonly [Buffer, Buffer]> {
  const line = ["partitioning", ...absolute(argv)];
  const both: Shown[] = await Promise.all([shown("nbdkit", line), shown("diskwright", line)]);
  return both.map(({ content }) => content) as unknown as readonly [Buffer, Buffer];
}

/**
 * Without what differs: the partitions' own GUIDs and names (random ones, and the file's whole path where that is short), and so the checksums; and the
 * length of the header, where both are right.
 */
function comparable(disk: Buffer): Buffer {
  const copy = Buffer.from(disk);
  for (const header of [512, copy.length - 512]) {
    copy.fill(0, header + 12, header + 20);
    copy.fill(0, header + 88, header + 92);
  }
  for (const entries of [1024, copy.length - 512 - 16384])
    for (let i = 0; i < 128; i += 1) {
      copy.fill(0, entries + i * 128 + 16, entries + i * 128 + 32);
      copy.fill(0, entries + i * 128 + 56, entries + i * 128 + 128);
    }
  return copy;
}

function firstDifference(a: Buffer, b: Buffer): number {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return i;
  return -1;
}
