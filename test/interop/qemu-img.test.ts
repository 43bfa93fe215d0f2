// qemu-img converts, compares and maps images: from files to our disks and back, and keeps a qcow2 image on a disk of ours.

import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Context, pipe } from "../../src/contract/index.ts";
import { holey, noise, writeSparse } from "../fixtures/bytes.ts";
import { nbdkit } from "../fixtures/peers.ts";
import { late, ram } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024 * 1024;
const RAW = ["-f", "raw"];
const TO_RAW = ["-O", "raw"];

/** Data here and there, most of it holes, and an end in the middle of a page. */
const image = holey(16 * MiB + 512, [
  [0, 65536],
  [MiB + 4096, 2 * MiB],
  [7 * MiB + 100, 1000],
  [16 * MiB, 512],
]);

async function qemuImg(...args: readonly string[]): Promise<string> {
  return (await run("qemu-img", args)).stdout;
}

describeWith(["qemu-img", "qemu-io"], "qemu-img", () => {
  overEach((reach) => {
    it("tells what a disk is", async () => {
      const { uriOf } = await served(reach, { "a disk/ü": ram(MiB + 512) });
      const info = JSON.parse(await qemuImg("info", "--output=json", uriOf("a disk/ü"))) as Record<string, unknown>;
      expect(info).toMatchObject({ format: "raw", "virtual-size": MiB + 512 });
    });

    it("is refused what is not there, in the server's own words, and to write where it may not", async () => {
      const { uriOf } = await served(reach, { one: { plugin: ram(512), readonly: true }, two: ram(512) });
      const { stderr } = await run("qemu-img", ["info", uriOf("three")], { status: 1 });
      expect(stderr).toContain('there is no export "three"');
      const { stderr: readonly } = await run("qemu-img", ["bench", "-w", ...RAW, uriOf("one")], { status: 1 });
      expect(readonly).toContain("Permission denied");
    });

    it("maps data and holes", async () => {
      const { uri } = await served(reach, ram(image));
      const map = JSON.parse(await qemuImg("map", "--output=json", ...RAW, uri)) as Record<string, unknown>[];
      const data = { depth: 0, present: true, zero: false, data: true };
      const hole = { depth: 0, present: true, zero: true, data: false };
      const from = MiB + 4096;
      expect(map.map(({ offset: _, ...rest }) => rest)).toEqual([
        { start: 0, length: 65536, ...data },
        { start: 65536, length: from - 65536, ...hole },
        { start: from, length: 2 * MiB, ...data },
        { start: from + 2 * MiB, length: 7 * MiB - from - 2 * MiB, ...hole },
        { start: 7 * MiB, length: 4096, ...data },
        { start: 7 * MiB + 4096, length: 9 * MiB - 4096, ...hole },
        { start: 16 * MiB, length: 512, ...data },
      ]);
    });

    it("maps what has changed, where a disk keeps count of it as qemu does", async () => {
      const changed: Context = {
        name: "qemu:dirty-bitmap:since-sunday",
        extents: () => [
          { offset: BigInt(MiB), length: 65536n, status: 1n },
          { offset: BigInt(5 * MiB), length: 131072n, status: 1n },
          { offset: BigInt(16 * MiB), length: 512n, status: 0n },
        ],
      };
      const { server } = await served(reach, ram(image, { contexts: [changed] }));
      const { address } = server;
      const where =
        address?.transport === "tcp"
          ? `type=inet,server.host=${address.host},server.port=${address.port}`
          : `type=unix,server.path=${address?.path}`;
      const disk = `driver=nbd,server.${where},x-dirty-bitmap=${changed.name}`;
      const map = JSON.parse(await qemuImg("map", "--output=json", "--image-opts", disk)) as {
        start: number;
        length: number;
        data: boolean;
      }[];
      // That is how qemu shows a bitmap: what is dirty counts as no data.
      expect(map.filter(({ data }) => !data).map(({ start, length }) => [start, length])).toEqual([
        [MiB, 65536],
        [5 * MiB, 131072],
      ]);
    });

    it("measures how large an image of a disk would be", async () => {
      const { uri } = await served(reach, ram(image));
      const { required } = JSON.parse(await qemuImg("measure", "--output=json", "-O", "qcow2", ...RAW, uri)) as { required: number };
      expect(required).toBeGreaterThan(2 * MiB);
      expect(required).toBeLessThan(4 * MiB);
    });

    it.each([
      ["in order", []],
      ["in any order, with sixteen at once", ["-W", "-m", "16"]],
      ["without looking for zeroes", ["-S", "0"]],
      ["with writes through to the disk", ["-t", "writethrough"]],
    ])("converts a raw image in and out again, %s", async (_, options) => {
      const folder = tree();
      const [from, to] = [join(folder, "from.img"), join(folder, "to.img")];
      writeSparse(from, image);
      const disk = ram(noise(image.length));
      const { uri } = await served(reach, disk);
      await qemuImg("convert", "-n", ...options, ...RAW, ...TO_RAW, from, uri);
      expect(disk.bytes.equals(image)).toBe(true);
      await qemuImg("convert", ...options, ...RAW, ...TO_RAW, uri, to);
      await run("cmp", [from, to]);
    });

    it("converts a compressed qcow2 image in and out again, through a disk that answers late", async () => {
      const folder = tree();
      const [raw, from, to] = [join(folder, "raw.img"), join(folder, "from.qcow2"), join(folder, "to.qcow2")];
      writeSparse(raw, image);
      await qemuImg("convert", "-c", ...RAW, "-O", "qcow2", raw, from);
      const disk = ram(image.length);
      const { uri } = await served(reach, pipe(disk, late(3)));
      await qemuImg("convert", "-n", "-W", "-f", "qcow2", ...TO_RAW, from, uri);
      expect(disk.bytes.equals(image)).toBe(true);
      await qemuImg("convert", "-W", ...RAW, "-O", "qcow2", uri, to);
      await qemuImg("compare", "-f", "qcow2", "-F", "qcow2", from, to);
      expect(statSync(to).size).toBeLessThan(4 * MiB);
    });

    it("converts from one of our disks to another, and to nbdkit", async () => {
      const target = ram(image.length);
      const from = await served(reach, ram(image));
      const to = await served(reach, target);
      const theirs = await nbdkit(reach, ["memory", String(image.length)]);
      await qemuImg("convert", "-n", "-W", ...RAW, ...TO_RAW, from.uri, to.uri);
      expect(target.bytes.equals(image)).toBe(true);
      await qemuImg("convert", "-n", "-W", ...RAW, ...TO_RAW, to.uri, theirs);
      await qemuImg("compare", ...RAW, "-F", "raw", theirs, from.uri);
    });

    it("compares a disk with a file, and finds the first byte that differs", async () => {
      const file = join(tree(), "file.img");
      writeSparse(file, image);
      const disk = ram(image);
      const { uri } = await served(reach, disk);
      expect(await qemuImg("compare", ...RAW, "-F", "raw", file, uri)).toContain("Images are identical");
      disk.bytes.writeUInt8((disk.bytes.readUInt8(2 * MiB + 8192) + 1) & 0xff, 2 * MiB + 8192);
      const { stdout } = await run("qemu-img", ["compare", ...RAW, "-F", "raw", file, uri], { status: 1 });
      expect(stdout).toContain(`Content mismatch at offset ${2 * MiB + 8192}`);
    });

    it.each([
      ["reads", []],
      ["writes", ["-w", "--pattern=165"]],
      ["writes with flushes among them", ["-w", "--no-drain", "--flush-interval=128"]],
    ])("benches %s, 64 at a time", async (_, options) => {
      const disk = ram(16 * MiB);
      const { uri } = await served(reach, disk);
      const stdout = await qemuImg("bench", ...RAW, "-c", "2000", "-d", "64", "-s", "5000", "-S", "4500", ...options, uri);
      expect(stdout).toContain("Run completed");
      if (options.includes("--pattern=165")) expect(disk.bytes.subarray(0, 8_999_500).equals(Buffer.alloc(8_999_500, 165))).toBe(true);
    });

    it("keeps a qcow2 image on a disk of ours: written, checked, given a snapshot and converted out", async () => {
      const raw = join(tree(), "raw.img");
      const { uri } = await served(reach, ram(8 * MiB));
      await qemuImg("create", "-f", "qcow2", uri, "1G");
      await run("qemu-io", ["-f", "qcow2", "-c", "write -P 9 0 1M", "-c", "write -P 7 1000M 100k", uri]);
      await qemuImg("snapshot", "-c", "before", uri);
      await run("qemu-io", ["-f", "qcow2", "-c", "write -P 8 512k 1M", "-c", "discard 0 64k", uri]);
      expect(await qemuImg("snapshot", "-l", uri)).toContain("before");
      expect(await qemuImg("check", "-f", "qcow2", uri)).toContain("No errors were found on the image");
      const info = JSON.parse(await qemuImg("info", "--output=json", uri)) as Record<string, unknown>;
      expect(info).toMatchObject({ format: "qcow2", "virtual-size": 1024 * MiB });

      await qemuImg("convert", "-l", "before", "-f", "qcow2", ...TO_RAW, uri, raw);
      await run("qemu-io", [...RAW, "-c", "read -P 9 0 1M", "-c", "read -P 0 1M 1M", "-c", "read -P 7 1000M 100k", raw]);
      await qemuImg("convert", "-f", "qcow2", ...TO_RAW, uri, raw);
      await run("qemu-io", [...RAW, "-c", "read -P 0 0 64k", "-c", "read -P 9 64k 448k", "-c", "read -P 8 512k 1M", raw]);
    });

    it("lays a qcow2 image over a disk of ours, and commits what was written there", async () => {
      const overlay = join(tree(), "overlay.qcow2");
      const disk = ram(image);
      const { uri } = await served(reach, disk);
      await qemuImg("create", "-f", "qcow2", "-b", uri, "-F", "raw", overlay);
      await run("qemu-io", ["-f", "qcow2", "-c", "write -P 5 1000 300000", "-c", "write -z 2M 64k", overlay]);
      expect(disk.bytes.equals(image)).toBe(true);
      await qemuImg("commit", "-f", "qcow2", overlay);
      const expected = Buffer.from(image);
      expected.fill(5, 1000, 301_000).fill(0, 2 * MiB, 2 * MiB + 65536);
      expect(disk.bytes.equals(expected)).toBe(true);
    });

    it("writes with dd", async () => {
      const folder = tree();
      const [from, to] = [join(folder, "from"), join(folder, "to")];
      const bytes = noise(MiB);
      writeFileSync(from, bytes);
      const { uri } = await served(reach, ram(bytes));
      await qemuImg("dd", ...RAW, ...TO_RAW, "bs=65536", "count=10", "skip=3", `if=${uri}`, `of=${to}`);
      await run("cmp", ["--ignore-initial=196608:0", "--bytes=458752", from, to]);
    });
  });
});
