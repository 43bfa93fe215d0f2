// Our client against our server, over real sockets: what one says the other understands, in every mode of replies.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { connect, listContexts, listExports } from "../../src/client/index.ts";
import { type Disk, DiskError, extentFlags, openDisk, type Plugin, pipe, writeFlags, zeroFlags } from "../../src/contract/index.ts";
import { memory } from "../../src/plugins/memory.ts";
import { holey, noise, random } from "../fixtures/bytes.ts";
import { deferred } from "../fixtures/deferred.ts";
import { late, ram, when } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024 * 1024;
const modes = ["simple", "structured", "extended"] as const;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** All of a disk, read in `chunk`s of which eight are under way at a time. */
async function readAll(disk: Disk, chunk = 300_000): Promise<Buffer> {
  const bytes = Buffer.alloc(Number(disk.size));
  await inParallel(bytes.length, chunk, (from, to) => disk.read(bytes.subarray(from, to), BigInt(from)));
  return bytes;
}

async function inParallel(length: number, chunk: number, work: (from: number, to: number) => unknown): Promise<void> {
  let at = 0;
  const one = async (): Promise<void> => {
    while (at < length) {
      const from = at;
      at = Math.min(length, from + chunk);
      await work(from, at);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

describeWith(["mkfs.ext4", "e2fsck"], "our client against our server", () => {
  overEach((reach) => {
    it.each([1, 4])("copies a file system in and out again over %i connections", async (connections) => {
      const folder = tree();
      const [image, copy, files] = [join(folder, "image"), join(folder, "copy"), join(folder, "files")];
      mkdirSync(files);
      for (let i = 0; i < 40; i += 1) writeFileSync(join(files, `file ${i}`), noise(i * i * 311, i));
      await run("mkfs.ext4", ["-q", "-d", files, image, "24M"]);
      const bytes = readFileSync(image);

      const plugin = memory(BigInt(bytes.length));
      const { uri } = await served(reach, pipe(plugin, late(2)));
      await using into = await connect(uri, { connections });
      expect(into.negotiated.connections).toBe(connections);
      await inParallel(bytes.length, 250_000, (from, to) => into.write(bytes.subarray(from, to), BigInt(from)));
      await into.flush();

      await using outOf = await connect(uri, { connections });
      const back = await readAll(outOf);
      expect(sha256(back)).toBe(sha256(bytes));
      writeFileSync(copy, back);
      await run("e2fsck", ["-f", "-n", copy]);
    });

    it.each(modes)("agrees with a model under random requests, with %s replies", async (replies) => {
      const size = 700_001;
      const model = noise(size);
      const { uri } = await served(reach, pipe(ram(model), late(1)));
      await using disk = await connect(uri, { replies, connections: 2 });
      expect(disk.negotiated).toMatchObject({ structured: replies !== "simple", extended: replies === "extended" });
      const next = random(5);
      for (let turn = 0; turn < 300; turn += 1) {
        const offset = next() % size;
        const length = Math.min(next() % (turn % 3 === 0 ? 200_000 : 5000), size - offset);
        const at = BigInt(offset);
        const range = model.subarray(offset, offset + length);
        switch (next() % 4) {
          case 0: {
            const data = noise(length, turn % 250);
            data.copy(model, offset);
            await disk.write(data, at, writeFlags(turn % 5 === 0));
            break;
          }
          case 1:
            range.fill(0);
            await disk.zero(at, BigInt(length), zeroFlags(false, turn % 2 === 0, false));
            break;
          case 2:
            range.fill(0);
            await disk.trim(at, BigInt(length));
            break;
          default: {
            const target = Buffer.alloc(length, 0xee);
            await disk.read(target, at);
            expect(target.equals(range), `${length} bytes at ${offset}, turn ${turn}`).toBe(true);
          }
        }
      }
      expect((await readAll(disk)).equals(model)).toBe(true);
    });

    it.each(modes)("reads what has holes, with %s replies", async (replies) => {
      const bytes = holey(4 * MiB, [
        [0, 4096],
        [MiB, 300_000],
        [3 * MiB + 100, 5],
      ]);
      const { uri } = await served(reach, ram(bytes));
      await using disk = await connect(uri, { replies });
      // What was in the buffer before must not shine through a hole.
      const target = Buffer.alloc(bytes.length, 0xee);
      await disk.read(target, 0n);
      expect(target.equals(bytes)).toBe(true);
    });

    it.each(["structured", "extended"] as const)("sees the extents that the disk itself shows, with %s replies", async (replies) => {
      const plugin = ram(holey(4 * MiB, [[MiB, 300_000]]), {
        contexts: [{ name: "x-test:half", extents: (offset, length) => [{ offset, length: (length + 1n) / 2n, status: 9n }] }],
      });
      const { uri } = await served(reach, plugin);
      await using local = await openDisk(plugin);
      await using disk = await connect(uri, { replies, contexts: ["x-test:half"] });
      expect(await listContexts(uri)).toEqual(["base:allocation", "x-test:half"]);
      for (const [offset, length] of [
        [0n, disk.size],
        [5000n, 2_000_000n],
        [disk.size - 1n, 1n],
      ] as const) {
        expect(await disk.extents(offset, length)).toEqual(await local.extents(offset, length));
        expect(await disk.extents(offset, length, extentFlags(true))).toEqual(await local.extents(offset, length, extentFlags(true)));
        expect(await disk.contexts[0]?.extents(offset, length)).toEqual(await local.contexts[0]?.extents(offset, length));
      }
    });

    it("zeroes, trims and asks about ranges beyond 4 GiB in a single request", async () => {
      const seen: string[] = [];
      const plugin = memory(2n ** 63n - 1n);
      const look = when((operation, offset, length) => void seen.push(`${operation} ${length} ${offset}`));
      const { uri } = await served(reach, pipe(plugin, look));
      await using disk = await connect(uri);
      const size = 2n ** 63n - 1n;
      expect(disk.size).toBe(size);
      await disk.write(Buffer.from("the end"), size - 7n);
      await disk.zero(0n, size - 3n);
      await disk.trim(0n, size - 8n);
      const extents = await disk.extents(0n, size);
      expect(seen).toEqual([`write 7 ${size - 7n}`, `zero ${size - 3n} 0`, `trim ${size - 8n} 0`, `extents ${size} 0`]);
      expect(extents.at(0)).toMatchObject({ offset: 0n, hole: true, zero: true });
      const target = Buffer.alloc(7);
      await disk.read(target, size - 7n);
      expect(target.toString()).toBe("\0\0\0\0end");
    });

    it("carries a status of 64 bits", async () => {
      const status = 2n ** 64n - 1n;
      const plugin = ram(65536, { contexts: [{ name: "x-test:sum", extents: (offset, length) => [{ offset, length, status }] }] });
      const { uri } = await served(reach, plugin);
      await using disk = await connect(uri, { contexts: ["x-test:sum"] });
      expect(await disk.contexts[0]?.extents(0n, 65536n)).toEqual([{ offset: 0n, length: 65536n, status }]);
      await using old = await connect(uri, { contexts: ["x-test:sum"], replies: "structured" });
      await expect(old.contexts[0]?.extents(0n, 65536n)).rejects.toMatchObject({ code: "EINVAL" });
    });

    it("is told what went wrong, and where", async () => {
      const bad = when((_operation, offset) => {
        if (offset === 512n) throw new DiskError("ENOSPC", "the thin pool is full", { offset: 600n });
        if (offset === 1024n) throw new Error("a secret of the server");
      });
      const { uri } = await served(reach, pipe(ram(65536), bad));
      await using disk = await connect(uri);
      const buffer = Buffer.alloc(512);
      const told = { code: "ENOSPC", offset: 600n, message: expect.stringContaining("the thin pool is full") };
      await expect(disk.write(buffer, 512n)).rejects.toMatchObject(told);
      await expect(disk.read(buffer, 512n)).rejects.toMatchObject(told);
      await expect(disk.zero(512n, 512n)).rejects.toMatchObject(told);
      const secret = disk.read(buffer, 1024n);
      await expect(secret).rejects.toMatchObject({ code: "EIO", message: expect.not.stringContaining("secret") });
      await disk.read(buffer, 0n);
    });

    it("shows exports and what they can do", async () => {
      const { uri, uriOf } = await served(reach, {
        "": ram(512),
        "a disk/ü": { plugin: ram(4096, { description: "of the plugin" }), readonly: true, description: "of the export" },
        other: ram(8192, { description: "of the plugin", traits: { rotational: true } }),
      });
      expect(await listExports(uri)).toEqual([{ name: "" }, { name: "a disk/ü", description: "of the export" }, { name: "other" }]);
      await using readonly = await connect(uriOf("a disk/ü"));
      expect(readonly).toMatchObject({ size: 4096n, description: "of the export", exportName: "a disk/ü" });
      expect(readonly.capabilities).toMatchObject({ write: false, trim: false, multiConn: true });
      await using other = await connect(uriOf("other"));
      expect(other).toMatchObject({ size: 8192n, description: "of the plugin" });
      expect(other.capabilities).toMatchObject({ write: true, rotational: true, multiConn: false, fua: "native" });
      await expect(connect(uriOf("nothing"))).rejects.toMatchObject({
        code: "ENOENT",
        message: expect.stringContaining("there is no export"),
      });
    });

    it("keeps a thousand requests apart that are answered in any order", async () => {
      const bytes = noise(MiB);
      const { uri } = await served(reach, pipe(ram(bytes), late(10)));
      await using disk = await connect(uri, { connections: 3 });
      const next = random(3);
      const wrong: string[] = [];
      const one = async (): Promise<void> => {
        const [offset, length] = [next() % (MiB - 70_000), next() % 70_000];
        const target = Buffer.alloc(length);
        await disk.read(target, BigInt(offset));
        if (!target.equals(bytes.subarray(offset, offset + length))) wrong.push(`${length} bytes at ${offset}`);
      };
      await Promise.all(Array.from({ length: 1000 }, one));
      expect(wrong).toEqual([]);
    });

    it("hears of the server's end in every request that was under way, and in all that follow", async () => {
      const arrived = deferred();
      const stuck: Plugin = {
        name: "stuck",
        open: ({ signal }) => ({
          size: 65536n,
          read: () =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => reject(signal.reason as Error));
              arrived.resolve();
            }),
        }),
      };
      const { uri, server } = await served(reach, stuck);
      await using disk = await connect(uri);
      const reads = Array.from({ length: 20 }, () => disk.read(Buffer.alloc(512), 0n));
      const outcomes = Promise.allSettled(reads);
      await arrived.promise;
      await server.close({ deadline: 20 });
      for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "ESHUTDOWN" } });
      await expect((async () => disk.read(Buffer.alloc(512), 0n))()).rejects.toMatchObject({
        code: expect.stringMatching(/ESHUTDOWN|ECONNRESET/),
      });
      await expect(connect(uri)).rejects.toMatchObject({ code: expect.stringMatching(/ENOENT|ECONNREFUSED/) });
    });
  });
});
