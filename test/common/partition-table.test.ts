// Reading partition tables: of real tools, and such as no tool writes.

import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPartitionTable, type SectorSize } from "../../src/common/partition-table.ts";
import { errorCode, openDisk } from "../../src/contract/index.ts";
import { ram } from "../../src/testing/index.ts";
import { Random } from "../../src/testing/random.ts";
import { type GptEntry, putGpt, putRecord } from "../fixtures/partitions.ts";
import { run } from "../fixtures/run.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

async function tableOf(content: Uint8Array, sectorSize?: SectorSize) {
  await using disk = await openDisk(ram(content));
  return await readPartitionTable(disk, sectorSize);
}

const MiB = 1024 * 1024;
const linux = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const two: readonly GptEntry[] = [
  { first: 64n, last: 127n, name: "boot" },
  { first: 128n, last: 255n },
];

describe("an MBR", () => {
  it("has primary partitions, with gaps where entries are empty", async () => {
    const disk = Buffer.alloc(MiB);
    putRecord(disk, 0, [{ type: 0x83, start: 1, sectors: 10 }, undefined, { type: 0x0c, start: 11, sectors: 5 }]);
    expect(await tableOf(disk)).toEqual({
      kind: "MBR",
      sectorSize: 512,
      partitions: [
        { number: 1, offset: 512n, length: 5120n, type: "0x83" },
        { number: 3, offset: 5632n, length: 2560n, type: "0x0c" },
      ],
    });
  });

  it("counts by sectors of 4096 bytes where it is told to", async () => {
    const disk = Buffer.alloc(MiB);
    putRecord(disk, 0, [{ type: 0x83, start: 1, sectors: 10 }]);
    expect((await tableOf(disk, 4096)).partitions).toMatchObject([{ offset: 4096n, length: 40960n }]);
  });

  it("has logical partitions from number 5 on, each relative to its own record", async () => {
    const disk = Buffer.alloc(MiB);
    putRecord(disk, 0, [
      { type: 0x83, start: 1, sectors: 9 },
      { type: 0x0f, start: 100, sectors: 1000 },
    ]);
    putRecord(disk, 100, [
      { type: 0x83, start: 2, sectors: 20 },
      { type: 0x05, start: 50, sectors: 60 },
    ]);
    // A record whose own entry is empty, as after the deletion of a partition, has no number.
    putRecord(disk, 150, [undefined, { type: 0x05, start: 200, sectors: 60 }]);
    putRecord(disk, 300, [{ type: 0x82, start: 5, sectors: 30 }]);
    const { partitions, damage } = await tableOf(disk);
    expect(damage).toBeUndefined();
    expect(partitions.map(({ number, offset, extended }) => [number, Number(offset) / 512, extended])).toEqual([
      [1, 1, undefined],
      [2, 100, true],
      [5, 102, undefined],
      [6, 305, undefined],
    ]);
  });

  it.each([
    ["comes back to a record", 0, "it comes back to sector 100"],
    ["leads past the end of the disk", 1_000_000, "sector 1000100 is past the end of the disk"],
    ["leads to what is no record", 500, "sector 600 holds no record"],
  ])("whose chain of logical partitions %s has those before", async (_, next, damage) => {
    const disk = Buffer.alloc(MiB);
    putRecord(disk, 0, [{ type: 0x05, start: 100, sectors: 1000 }]);
    putRecord(disk, 100, [
      { type: 0x83, start: 2, sectors: 20 },
      { type: 0x05, start: next, sectors: 60 },
    ]);
    const table = await tableOf(disk);
    expect(table.partitions.map(({ number }) => number)).toEqual([1, 5]);
    expect(table.damage).toBe(`the chain of logical partitions is broken: ${damage}`);
  });

  it("may have many logical partitions, but not any number", async () => {
    const disk = Buffer.alloc(MiB);
    putRecord(disk, 0, [{ type: 0x05, start: 1, sectors: 2000 }]);
    for (let i = 0; i < 1000; i += 1) {
      putRecord(disk, 1 + i, [
        { type: 0x83, start: 1, sectors: 1 },
        { type: 0x05, start: i + 1, sectors: 1 },
      ]);
    }
    const { partitions, damage } = await tableOf(disk);
    expect(partitions).toHaveLength(513);
    expect(damage).toContain("more than 512 records");
  });
});

describe("a GPT", () => {
  it("has partitions with types and names", async () => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, two);
    expect(await tableOf(disk)).toEqual({
      kind: "GPT",
      sectorSize: 512,
      partitions: [
        { number: 1, offset: 32768n, length: 32768n, type: linux, name: "boot" },
        { number: 2, offset: 65536n, length: 65536n, type: linux },
      ],
    });
  });

  it("is found at either sector size", async () => {
    const disk = Buffer.alloc(2 * MiB);
    putGpt(disk, two, { sectorSize: 4096 });
    expect(await tableOf(disk)).toMatchObject({ sectorSize: 4096, partitions: [{ offset: 262144n }, { offset: 524288n }] });
    await expect(tableOf(disk, 512)).rejects.toThrow(
      "the GPT cannot be read: in the primary header there is no signature (EFI PART) in sector 1, and in the backup at the end of the disk there is no signature",
    );
  });

  it("may have larger entries, and many of them", async () => {
    const disk = Buffer.alloc(2 * MiB);
    putGpt(disk, two, { entrySize: 256, count: 1000 });
    expect((await tableOf(disk)).partitions).toHaveLength(2);
  });

  it("counts when the MBR has other entries beside the protective one", async () => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, two);
    putRecord(disk, 0, [
      { type: 0x0c, start: 64, sectors: 64 },
      { type: 0xee, start: 1, sectors: 63 },
    ]);
    expect((await tableOf(disk)).kind).toBe("GPT");
  });

  it("that an MBR without a protective entry has replaced does not count", async () => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, two);
    putRecord(disk, 0, [{ type: 0x83, start: 64, sectors: 64 }]);
    expect((await tableOf(disk)).kind).toBe("MBR");
  });

  it.each<[string, (disk: Buffer) => void, string]>([
    ["has no signature", (disk) => disk.write("x", 512), "there is no signature (EFI PART) in sector 1"],
    ["is damaged in its header", (disk) => disk.writeUInt8(1, 512 + 40), "the checksum is wrong"],
    ["is damaged in its entries", (disk) => disk.writeUInt8(1, 1024 + 60), "the checksum of the entries is wrong"],
    ["has been wiped", (disk) => disk.fill(0, 0, 34 * 512), "sector 0 has no signature (55 AA)"],
  ])("that %s is read from its backup, and says so", async (_, damage, why) => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, two);
    const { partitions } = await tableOf(disk);
    damage(disk);
    const table = await tableOf(disk);
    expect(table.partitions).toEqual(partitions);
    expect(table.damage).toBe(`the GPT was read from its backup at the end of the disk, because at the start ${why}`);
  });

  it("does not use its backup where a file system has been put on the whole disk", async () => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, two);
    disk.fill(0, 0, 34 * 512);
    disk.fill(0x90, 0, 510).writeUInt16LE(0xaa55, 510);
    await expect(tableOf(disk)).rejects.toThrow("there is no partition table on this disk: sector 0 is a boot sector without partitions");
  });

  it.each<[string, (header: Buffer) => void, string]>([
    ["a short header", (header) => header.writeUInt32LE(91, 12), "the length 91 is not from 92 to 512"],
    ["an endless header", (header) => header.writeUInt32LE(0xffffffff, 12), "the length 4294967295"],
    ["another place", (header) => header.writeBigUInt64LE(7n, 24), "it is said to be in sector 7, not 1"],
    ["small entries", (header) => header.writeUInt32LE(64, 84), "the size of an entry is 64"],
    ["odd entries", (header) => header.writeUInt32LE(129, 84), "the size of an entry is 129"],
    ["endless entries", (header) => header.writeUInt32LE(0xfffffff8, 84), "more than the 4194304 bytes that are taken"],
    ["entries without number", (header) => header.writeUInt32LE(0xffffffff, 80), "more than the 4194304 bytes that are taken"],
    ["entries out of reach", (header) => header.writeBigUInt64LE(2n ** 64n - 1n, 72), "the entries are past the end of the disk"],
  ])("that claims %s is refused", async (_, header, why) => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, two, { header });
    await expect(tableOf(disk)).rejects.toThrow(why);
  });

  it("may have partitions that end before they start, or far outside: the numbers are there for who uses them", async () => {
    const disk = Buffer.alloc(MiB);
    putGpt(disk, [
      { first: 100n, last: 50n },
      { first: 2n ** 63n, last: 2n ** 64n - 1n },
    ]);
    expect((await tableOf(disk)).partitions).toMatchObject([{ length: 0n }, { offset: 2n ** 72n, length: 2n ** 72n }]);
  });
});

describe("what is no partition table", () => {
  it.each([0, 1, 511, 512, 513, 1024, 4096])("is refused: a disk of %i zeroes", async (size) => {
    await expect(tableOf(Buffer.alloc(size))).rejects.toMatchObject({ code: "EINVAL", message: /^there is no partition table/ });
  });

  it("is refused or read within bounds, wherever it is cut off", async () => {
    const disk = Buffer.alloc(128 * 1024);
    putGpt(disk, [{ first: 64n, last: 127n }]);
    for (let size = 0; size < 17 * 1024; size += size < 1200 ? 1 : 509) {
      await expect(tableOf(disk.subarray(0, size)), `${size} bytes`).rejects.toMatchObject({ code: "EINVAL" });
    }
  });

  it("is refused or read within bounds, whatever bits are flipped", async () => {
    const draw = new Random(7);
    const gpt = Buffer.alloc(128 * 1024);
    putGpt(gpt, [{ first: 64n, last: 127n }]);
    const mbr = Buffer.alloc(128 * 1024);
    putRecord(mbr, 0, [
      { type: 0x83, start: 1, sectors: 9 },
      { type: 0x0f, start: 100, sectors: 100 },
    ]);
    putRecord(mbr, 100, [
      { type: 0x83, start: 2, sectors: 20 },
      { type: 0x05, start: 50, sectors: 60 },
    ]);
    putRecord(mbr, 150, [{ type: 0x83, start: 2, sectors: 20 }]);
    const places = [
      () => draw.below(1200),
      () => 128 * 1024 - 512 + draw.below(512),
      () => 51200 + draw.below(512),
      () => 446 + draw.below(66),
    ];
    for (let round = 0; round < 400; round += 1) {
      const disk = Buffer.from(round % 2 === 0 ? gpt : mbr);
      for (let flips = 0; flips <= draw.below(4); flips += 1) {
        const at = (places[draw.below(places.length)] as () => number)();
        disk.writeUInt8(disk.readUInt8(at) ^ (1 << draw.below(8)), at);
      }
      try {
        const { partitions } = await tableOf(disk);
        expect(partitions.length).toBeLessThan(600);
      } catch (error) {
        expect(errorCode(error), String(error)).toBe("EINVAL");
      }
    }
  });
});

describeWith(["sfdisk", "sgdisk"], "tables of real tools", () => {
  it("sfdisk's MBR", async () => {
    const image = join(tree(), "disk");
    writeFileSync(image, Buffer.alloc(64 * MiB));
    const input = "label: dos\n2048,10M,83\n,4M,c,*\n,,5\n,2M,83\n,3M,82\n,4M,83\n";
    await run("sfdisk", ["-q", image], { input });
    const { stdout } = await run("sfdisk", ["--json", image]);
    const expected = (JSON.parse(stdout) as { partitiontable: { partitions: { node: string; start: number; size: number }[] } })
      .partitiontable;
    const { partitions } = await tableOf(await readFile(image));
    expect(
      partitions.map(({ number, offset, length }) => ({
        node: `${image}${number}`,
        start: Number(offset / 512n),
        size: Number(length / 512n),
      })),
    ).toEqual(expected.partitions.map(({ node, start, size }) => ({ node, start, size })));
  });

  it("sgdisk's GPT", async () => {
    const image = join(tree(), "disk");
    writeFileSync(image, Buffer.alloc(64 * MiB));
    await run("sgdisk", ["-n1:2048:+10M", "-n2:0:+4M", "-n5:0:+3M", "-c1:Größe", image]);
    expect((await tableOf(await readFile(image))).partitions).toMatchObject([
      { number: 1, offset: 1048576n, length: 10485760n, name: "Größe", type: linux },
      { number: 2, offset: 11534336n, length: 4194304n },
      { number: 5, offset: 15728640n, length: 3145728n },
    ]);
  });

  it("sgdisk finds nothing wrong with what these tests write", async () => {
    const image = join(tree(), "disk");
    const disk = Buffer.alloc(64 * MiB);
    putGpt(disk, [{ first: 2048n, last: 4095n }], {
      header: (header) => {
        header.writeBigUInt64LE(34n, 40);
        header.writeBigUInt64LE(BigInt(disk.length / 512 - 34), 48);
      },
    });
    writeFileSync(image, disk);
    const { stdout } = await run("sgdisk", ["-v", image], { status: "any" });
    expect(stdout).toContain("No problems found");
  });
});
