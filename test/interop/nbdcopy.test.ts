// nbdcopy copies as fast as a server lets it: many requests in flight, answered in any order, over several connections.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openDisk, pipe } from "../../src/contract/index.ts";
import { memory } from "../../src/plugins/memory.ts";
import { holey, noise, writeSparse } from "../fixtures/bytes.ts";
import { nbdkit } from "../fixtures/peers.ts";
import { late, type Operation, ram, when } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024 * 1024;

/** An image as disks are: data here and there, most of it holes, and a size that is no multiple of anything. */
const image = holey(16 * MiB + 513, [
  [0, 65536],
  [MiB + 4096, 3 * MiB],
  [7 * MiB + 100, 1000],
  [12 * MiB, 65536 + 1],
  [16 * MiB, 513],
]);

/** Bytes of a disk that it calls holes. */
async function holesOf(plugin: ReturnType<typeof ram>): Promise<number> {
  await using disk = await openDisk(plugin);
  const extents = await disk.extents(0n, disk.size);
  return extents.reduce((sum, { hole, length }) => sum + (hole === true ? Number(length) : 0), 0);
}

describeWith(["nbdcopy", "nbdkit"], "nbdcopy", () => {
  overEach((reach) => {
    it.each([
      ["as it likes", []],
      ["with four connections and many requests", ["--connections=4", "--requests=64"]],
      ["with one request at a time", ["--synchronous", "--request-size=65536"]],
      ["in requests of 4 KiB", ["--request-size=4096", "--requests=128"]],
      ["in requests of 32 MiB", ["--request-size=33554432", "--queue-size=134217728"]],
      ["without asking for extents, looking for zeroes in 512 bytes", ["--no-extents", "--sparse=512"]],
      ["without looking for zeroes", ["--no-extents", "--sparse=0"]],
    ])("copies an image in and out again %s", async (_, options) => {
      const folder = tree();
      const [from, to] = [join(folder, "from.img"), join(folder, "to.img")];
      writeSparse(from, image);
      const disk = ram(image.length);
      const { uri } = await served(reach, disk);

      await run("nbdcopy", [...options, from, uri]);
      expect(disk.bytes.equals(image)).toBe(true);

      await run("nbdcopy", [...options, uri, to]);
      await run("cmp", [from, to]);
    });

    it("copies through a disk that answers late and in any order", async () => {
      const folder = tree();
      const [from, to] = [join(folder, "from.img"), join(folder, "to.img")];
      writeSparse(from, image);
      const disk = ram(image.length);
      const { uri } = await served(reach, pipe(disk, late(3)));
      await run("nbdcopy", ["--connections=4", "--request-size=65536", from, uri]);
      expect(disk.bytes.equals(image)).toBe(true);
      await run("nbdcopy", ["--connections=4", "--request-size=65536", uri, to]);
      await run("cmp", [from, to]);
    });

    it.each(["sparse", "malloc"] as const)("copies through memory with the allocator %s", async (allocator) => {
      const folder = tree();
      const [from, to] = [join(folder, "from.img"), join(folder, "to.img")];
      writeSparse(from, image);
      const { uri } = await served(reach, memory(BigInt(image.length), { allocator }));
      // Once onto holes, once onto what is there already.
      for (const options of [["--connections=4"], ["--connections=2", "--request-size=1048576"]]) {
        await run("nbdcopy", [...options, from, uri]);
        await run("nbdcopy", [...options, uri, to]);
        await run("cmp", [from, to]);
      }
    });

    it("keeps holes as holes, both ways", async () => {
      const folder = tree();
      const [from, to] = [join(folder, "from.img"), join(folder, "to.img")];
      writeSparse(from, image);
      const disk = ram(noise(image.length));
      const { uri } = await served(reach, disk);
      await run("nbdcopy", [from, uri]);
      expect(disk.bytes.equals(image)).toBe(true);
      expect(await holesOf(disk)).toBeGreaterThan(12 * MiB);
      await run("nbdcopy", [uri, to]);
      await run("cmp", [from, to]);
      expect(statSync(to).blocks * 512).toBeLessThan(4 * MiB);
    });

    it("fills the holes when it is told to", async () => {
      const from = join(tree(), "from.img");
      writeSparse(from, image);
      const disk = ram(image.length);
      const { uri } = await served(reach, disk);
      await run("nbdcopy", ["--allocated", from, uri]);
      expect(disk.bytes.equals(image)).toBe(true);
      expect(await holesOf(disk)).toBe(0);
    });

    it("does not touch the holes of a disk that is zero already", async () => {
      const from = join(tree(), "from.img");
      writeSparse(from, image);
      const disk = ram(image.length);
      const zeroed: Operation[] = [];
      const look = when((operation) => void (operation === "write" || zeroed.push(operation)));
      const { uri } = await served(reach, pipe(disk, look));
      await run("nbdcopy", ["--destination-is-zero", from, uri]);
      expect(disk.bytes.equals(image)).toBe(true);
      expect(zeroed).toEqual([]);
    });

    it("flushes at the end when it is told to", async () => {
      const from = join(tree(), "from.img");
      writeFileSync(from, image);
      const seen: Operation[] = [];
      const { uri } = await served(
        reach,
        pipe(
          ram(image.length),
          when((operation) => void seen.push(operation)),
        ),
      );
      await run("nbdcopy", ["--flush", from, uri]);
      expect(seen.at(-1)).toBe("flush");
      expect(seen).toContain("write");
    });

    it("copies from a pipe and into a pipe", async () => {
      const disk = ram(4 * MiB);
      const { uri } = await served(reach, disk);
      const bytes = noise(4 * MiB, 5);
      await run("nbdcopy", ["--", "-", uri], { input: bytes });
      expect(disk.bytes.equals(bytes)).toBe(true);
      const { stdout } = await run("sh", ["-c", 'nbdcopy -- "$0" - | cksum', uri]);
      expect(stdout).toBe((await run("cksum", [], { input: bytes })).stdout);
    });

    it("copies from one of our servers to another", async () => {
      const from = await served(reach, ram(image));
      const target = ram(image.length);
      const to = await served(reach, target);
      await run("nbdcopy", ["--connections=4", from.uri, to.uri]);
      expect(target.bytes.equals(image)).toBe(true);
      expect(await holesOf(target)).toBeGreaterThan(12 * MiB);
    });

    it("copies to nbdkit and back", async () => {
      const theirs = await nbdkit(reach, ["memory", String(image.length)]);
      const first = await served(reach, ram(image));
      await run("nbdcopy", ["--connections=4", first.uri, theirs]);
      const back = ram(image.length);
      const second = await served(reach, back);
      await run("nbdcopy", [theirs, second.uri]);
      expect(back.bytes.equals(image)).toBe(true);
    });

    it("takes what nbdkit checks byte by byte", async () => {
      // sparse-random refuses every write that differs from what it gives to read.
      const source = ["sparse-random", "32M", "percent=20", "seed=7"];
      const theirs = await nbdkit(reach, source);
      const { uri } = await served(reach, ram(32 * MiB));
      await run("nbdcopy", ["--connections=4", theirs, uri]);
      await run("nbdcopy", ["--connections=4", uri, theirs]);
    });

    it("copies a disk of no bytes", async () => {
      const to = join(tree(), "to.img");
      const { uri } = await served(reach, ram(0));
      await run("nbdcopy", [uri, to]);
      expect(readFileSync(to).length).toBe(0);
    });
  });
});
