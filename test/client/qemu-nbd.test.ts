// The client against qemu-nbd: named exports, descriptions, error texts, holes in reads, dirty bitmaps.

import { join } from "node:path";
import { expect, it } from "vitest";
import { connect, listContexts, listExports } from "../../src/client/index.ts";
import { noise } from "../fixtures/bytes.ts";
import { qemuNbdServer } from "../fixtures/peers.ts";
import { run } from "../fixtures/run.ts";
import { overEach } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

/** A qcow2 image of 16 MiB: a cluster of `0x11` before the bitmap b0 was added, one of `0x22` since. */
async function image(): Promise<string> {
  const path = join(tree(), "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "16M"]);
  await run("qemu-io", ["-f", "qcow2", "-c", "write -q -P 0x11 1M 64k", path]);
  await run("qemu-img", ["bitmap", "--add", path, "b0"]);
  await run("qemu-io", ["-f", "qcow2", "-c", "write -q -P 0x22 2M 64k", path]);
  return path;
}

describeWith(["qemu-nbd", "qemu-img", "qemu-io"], "qemu-nbd", () => {
  overEach((reach) => {
    it("shows its export by name, with what it says of it", async () => {
      const { uri } = await qemuNbdServer(reach, "--format=qcow2", "--export-name=the disk", "--description=a test image", await image());
      expect(await listExports(uri())).toEqual([{ name: "the disk", description: "a test image" }]);
      await using disk = await connect(uri("the disk"));
      expect(disk).toMatchObject({
        size: 16n << 20n,
        exportName: "the disk",
        description: "a test image",
        blockSize: { minimum: 1, preferred: 4096, maximum: 32 << 20 },
        negotiated: { structured: true, extended: false },
      });
      await expect(connect(uri("another"))).rejects.toMatchObject({
        code: "ENOENT",
        message: expect.stringMatching(/the server refuses to use export "another": it has no such export \(it says: .*another.*\)/),
      });
      await expect(listContexts(uri("another"))).rejects.toMatchObject({ code: "ENOENT" });
    });

    it("tells holes from data, and what has changed since the bitmap was added", async () => {
      const { uri } = await qemuNbdServer(reach, "--format=qcow2", "--bitmap=b0", "--allocation-depth", await image());
      expect(await listContexts(uri())).toEqual(["base:allocation", "qemu:allocation-depth", "qemu:dirty-bitmap:b0"]);
      expect(await listContexts(uri(), { queries: ["qemu:dirty-bitmap:"] })).toEqual(["qemu:dirty-bitmap:b0"]);
      await using disk = await connect(uri(), { contexts: ["qemu:dirty-bitmap:b0", "qemu:allocation-depth"] });
      expect(await disk.extents(0n, disk.size)).toEqual([
        { offset: 0n, length: 0x100000n, hole: true, zero: true },
        { offset: 0x100000n, length: 0x10000n, hole: false, zero: false },
        { offset: 0x110000n, length: 0xf0000n, hole: true, zero: true },
        { offset: 0x200000n, length: 0x10000n, hole: false, zero: false },
        { offset: 0x210000n, length: 0xdf0000n, hole: true, zero: true },
      ]);
      const contexts = new Map(disk.contexts.map((context) => [context.name, context]));
      expect(await contexts.get("qemu:dirty-bitmap:b0")?.extents(0n, disk.size)).toEqual([
        { offset: 0n, length: 0x200000n, status: 0n },
        { offset: 0x200000n, length: 0x10000n, status: 1n },
        { offset: 0x210000n, length: 0xdf0000n, status: 0n },
      ]);
      expect(await contexts.get("qemu:allocation-depth")?.extents(0x100000n, 0x20000n)).toEqual([
        { offset: 0x100000n, length: 0x10000n, status: 1n },
        { offset: 0x110000n, length: 0x10000n, status: 0n },
      ]);
    });

    it("sends holes as holes, which read as zeroes over whatever was in the buffer", async () => {
      const { uri } = await qemuNbdServer(reach, "--format=qcow2", await image());
      await using disk = await connect(uri());
      const target = Buffer.alloc(3 << 20, 0xee);
      await disk.read(target, 0n);
      const expected = Buffer.alloc(3 << 20);
      expected.fill(0x11, 1 << 20, (1 << 20) + 65536);
      expected.fill(0x22, 2 << 20, (2 << 20) + 65536);
      expect(target.equals(expected)).toBe(true);
    });
  });

  it("gives back what was written, as qemu sees it too", async () => {
    const path = join(tree(), "disk.raw");
    await run("qemu-img", ["create", "-q", "-f", "raw", path, "64M"]);
    const { uri, running } = await qemuNbdServer("unix", "--format=raw", "--discard=unmap", path);
    const content = noise(40 << 20);
    {
      await using disk = await connect(uri(), { connections: 4 });
      await disk.write(content, 12345n);
      await disk.zero(20_000_000n, 1_000_000n);
      await disk.trim(0n, 4096n);
      await disk.cache(0n, disk.size);
      await disk.flush();
      const back = Buffer.alloc(40 << 20);
      await disk.read(back, 12345n);
      content.fill(0, 20_000_000 - 12345, 21_000_000 - 12345);
      expect(back.equals(content)).toBe(true);
    }
    running.kill();
    await running.ended;
    await run("qemu-io", ["-f", "raw", "-r", "-c", "read -q -P 0 20000000 1000000", path]);
  });

  it("that is read-only is, and a context that it has not is missed at once", async () => {
    const { uri } = await qemuNbdServer("unix", "--format=raw", "--read-only", await image());
    await using disk = await connect(uri());
    expect(disk.capabilities.write).toBe(false);
    await expect(connect(uri(), { contexts: ["qemu:dirty-bitmap:b9"] })).rejects.toMatchObject({
      code: "ENOTSUP",
      message: expect.stringContaining("does not offer the context qemu:dirty-bitmap:b9"),
    });
  });

  it("says in words what went wrong with a request", async () => {
    const path = join(tree(), "disk.raw");
    await run("qemu-img", ["create", "-q", "-f", "raw", path, "1M"]);
    const failing = {
      driver: "blkdebug",
      "image.driver": "file",
      "image.filename": path,
      "inject-error.0.event": "none",
      "inject-error.0.iotype": "write",
    };
    const options = Object.entries(failing).map(([key, value]) => `file.${key}=${value}`);
    const { uri } = await qemuNbdServer("unix", "--image-opts", ["driver=raw", ...options].join());
    await using disk = await connect(uri());
    await expect(disk.write(new Uint8Array(512), 1024n)).rejects.toMatchObject({
      code: "EIO",
      message: "cannot write 512 bytes at 1024: the server answers EIO: writing to file failed",
    });
    await disk.read(new Uint8Array(512), 1024n);
  });
});
