// The partition filter.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { openDisk, partition, pipe } from "../../src/index.ts";
import { classRam, ram, testFilter } from "../../src/testing/index.ts";
import { noise } from "../fixtures/bytes.ts";
import { putGpt, putRecord } from "../fixtures/partitions.ts";
import { run } from "../fixtures/run.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { warning } from "../fixtures/warning.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A disk with one partition of 100 KiB, full of noise. */
function disk(): Buffer {
  const content = Buffer.alloc(256 * KiB);
  noise(100 * KiB).copy(content, 64 * KiB);
  putGpt(content, [
    { first: 128n, last: 327n },
    { first: 400n, last: 10_000n },
    { first: 100n, last: 50n },
  ]);
  return content;
}

describe("partition", () => {
  testFilter({
    test,
    content: disk(),
    filter: () => partition(1),
    model: (below) => below.subarray(64 * KiB, 164 * KiB),
  });

  it("shows a logical partition of an MBR", async () => {
    const content = Buffer.alloc(MiB);
    putRecord(content, 0, [{ type: 0x05, start: 100, sectors: 1000 }]);
    putRecord(content, 100, [{ type: 0x83, start: 2, sectors: 20 }]);
    content.write("here", 102 * 512);
    await using part = await openDisk(pipe(classRam(content), partition(5)));
    const target = Buffer.alloc(4);
    await part.read(target, 0n);
    expect([part.size, target.toString()]).toEqual([10240n, "here"]);
  });

  it("counts by sectors of 4096 bytes where it is told to", async () => {
    const content = Buffer.alloc(MiB);
    putRecord(content, 0, [{ type: 0x83, start: 8, sectors: 16 }]);
    await using part = await openDisk(pipe(ram(content), partition(1, { sectorSize: "4k" })));
    expect(part.size).toBe(65536n);
  });

  it("says once that a GPT was read from its backup", async () => {
    const content = disk();
    content.writeUInt8(1, 512 + 40);
    const stack = pipe(ram(content), partition(1));
    const { size, warned } = await warning(async () => {
      await using first = await openDisk(stack);
      await using _second = await openDisk(stack);
      return { size: first.size };
    });
    expect(size).toBe(102_400n);
    expect(warned).toEqual([
      "partition: the GPT was read from its backup at the end of the disk, because at the start the checksum is wrong",
    ]);
  });

  it.each([
    [4, "partition 4 does not exist: the disk has 3 (GPT)"],
    [2, "partition 2 (4915712 bytes at 204800) is not on the disk: the disk has 262144 bytes, was it cut off?"],
    [3, "partition 3 ends before it starts: the GPT is damaged"],
  ])("refuses partition %i of a GPT: %s", async (number, message) => {
    await expect(openDisk(pipe(ram(disk()), partition(number)))).rejects.toMatchObject({ code: "EINVAL", message });
  });

  it.each([
    [
      2,
      "partition 2 only holds the logical ones: the disk has 3 (MBR: 1, 4, 5), and the chain of logical partitions is broken: sector 150 holds no record",
    ],
    [
      6,
      "partition 6 does not exist: the disk has 3 (MBR: 1, 4, 5), and the chain of logical partitions is broken: sector 150 holds no record",
    ],
  ])("refuses partition %i of an MBR: %s", async (number, message) => {
    const content = Buffer.alloc(MiB);
    const here = { type: 0x83, start: 1, sectors: 9 };
    putRecord(content, 0, [here, { type: 0x05, start: 100, sectors: 1000 }, undefined, here]);
    putRecord(content, 100, [here, { type: 0x05, start: 50, sectors: 60 }]);
    await expect(openDisk(pipe(ram(content), partition(number)))).rejects.toMatchObject({ code: "EINVAL", message });
  });

  it("refuses a disk without partitions", async () => {
    await expect(openDisk(pipe(ram(4096), partition(1)))).rejects.toThrow(
      "there is no partition table on this disk: sector 0 has no signature (55 AA)",
    );
  });

  it("refuses what is no number, and no sector size", () => {
    expect(() => partition(0)).toThrow("partition 0: expected its number, counting from 1");
    expect(() => partition("1" as never)).toThrow("partition 1: expected its number");
    expect(() => partition(1.5)).toThrow("partition 1.5");
    expect(() => partition(1, { sectorSize: 1024 })).toThrow("sectorSize 1024: expected 512 or 4096");
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "sfdisk", "sgdisk"], "partition and nbdkit's", () => {
  /** An image with noise everywhere that a partitioning program then writes to. */
  async function image(program: string, args: (image: string) => string[], input = ""): Promise<string> {
    const path = join(tree(), "disk");
    writeFileSync(path, Buffer.concat([Buffer.alloc(64 * KiB), noise(16 * MiB - 128 * KiB), Buffer.alloc(64 * KiB)]));
    await run(program, args(path), { input });
    return path;
  }

  it("show the same partitions of an MBR", async () => {
    const path = await image("sfdisk", (disk) => ["-q", disk], "label: dos\n2048,1M,83\n,512K,c,*\n,,5\n,512K,83\n,700K,82\n,1M,83\n");
    for (const number of [1, 2, 5, 6, 7]) await expectSame(["--filter=partition", "file", path, `partition=${number}`]);
    for (const number of [0, 3, 4, 8]) await expectBothRefuse(["--filter=partition", "file", path, `partition=${number}`]);
  });

  it("show the same partitions of a GPT", async () => {
    const path = await image("sgdisk", (disk) => ["-n1:2048:+1M", "-n2:0:+700K", "-n5:0:+512K", disk]);
    for (const number of [1, 2, 5]) await expectSame(["--filter=partition", "file", path, `partition=${number}`]);
    for (const number of [3, 128, 129]) await expectBothRefuse(["--filter=partition", "file", path, `partition=${number}`]);
  });

  it("refuse a disk without a table, and a command line without a number", async () => {
    await expectBothRefuse(["--filter=partition", "memory", "1M", "partition=1"]);
    expect((await expectBothRefuse(["--filter=partition", "memory", "1M"])).diskwright).toContain("partition= is missing");
  });
});
