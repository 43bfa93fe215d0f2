// The client against nbdkit, which has structured replies but no extended headers.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { connect, listContexts, listExports, type RemoteDisk } from "../../src/client/index.ts";
import type { Extent } from "../../src/contract/connection.ts";
import { extentFlags, writeFlags, zeroFlags } from "../../src/contract/flags.ts";
import { noise } from "../fixtures/bytes.ts";
import { nbdkitServer } from "../fixtures/peers.ts";
import { overEach } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

async function readAll(disk: RemoteDisk, offset: bigint, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  await disk.read(target, offset);
  return target;
}

/** All extents of a range, asked for until its end. */
async function allExtents(disk: RemoteDisk, offset: bigint, length: bigint): Promise<Extent[]> {
  const list: Extent[] = [];
  for (let at = offset; at < offset + length; ) {
    list.push(...(await disk.extents(at, offset + length - at)));
    const last = list.at(-1) as Extent;
    at = last.offset + last.length;
  }
  return list;
}

describeWith(["nbdkit"], "nbdkit", () => {
  overEach((reach) => {
    it("tells what its memory disk can do", async () => {
      const { uri } = await nbdkitServer(reach, "memory", "10M");
      await using disk = await connect(uri("anything"));
      expect(disk).toMatchObject({
        size: 10n << 20n,
        exportName: "anything",
        negotiated: { structured: true, extended: false, connections: 1, tls: false },
        capabilities: {
          write: true,
          flush: true,
          trim: true,
          zero: true,
          fua: "native",
          fastZero: true,
          extents: true,
          multiConn: true,
          cache: "native",
        },
      });
      expect(await listExports(uri())).toEqual([{ name: "" }]);
      expect(await listContexts(uri())).toEqual(["base:allocation"]);
    });

    it("gives back what was written, however large or oddly placed", async () => {
      const { uri } = await nbdkitServer(reach, "memory", "200M");
      await using disk = await connect(uri(), { connections: 3 });
      const pieces = [
        { bytes: noise(1, 1), offset: 0n },
        { bytes: noise(4096, 2), offset: 4095n },
        { bytes: noise(100_001, 3), offset: 1_000_003n },
        { bytes: noise(70 << 20, 4), offset: 3n << 20n },
        { bytes: noise(513, 5), offset: disk.size - 513n },
      ];
      await Promise.all(pieces.map(({ bytes, offset }) => disk.write(bytes, offset)));
      await disk.flush();
      const back = await Promise.all(pieces.map(({ bytes, offset }) => readAll(disk, offset, bytes.length)));
      for (const [index, { bytes }] of pieces.entries()) expect(back[index]?.equals(bytes), `piece ${index}`).toBe(true);
      expect((await readAll(disk, 1n, 4094)).equals(Buffer.alloc(4094))).toBe(true);
    });

    it("does everything else", async () => {
      const { uri } = await nbdkitServer(reach, "memory", "8G");
      await using disk = await connect(uri());
      const data = noise(1 << 20);
      await disk.write(data, 0n, writeFlags(true));
      await disk.trim(0n, 64n << 10n, writeFlags(true));
      await disk.zero(64n << 10n, 64n << 10n, zeroFlags(true, false, true));
      await disk.cache(0n, 100n << 20n);
      await disk.zero(1n << 20n, disk.size - (1n << 20n));
      await disk.flush();
      expect((await readAll(disk, 0n, 1 << 20)).equals(Buffer.concat([Buffer.alloc(128 << 10), data.subarray(128 << 10)]))).toBe(true);
      expect(() => disk.read(new Uint8Array(2), disk.size - 1n)).toThrow(expect.objectContaining({ code: "EINVAL" }));
    });

    it("keeps thousands of requests apart", async () => {
      const { uri } = await nbdkitServer(reach, "memory", "4M");
      await using disk = await connect(uri(), { connections: 2 });
      const content = noise(4 << 20);
      await disk.write(content, 0n);
      const jobs = Array.from({ length: 5000 }, async (_, index) => {
        const offset = (index * 7919) % ((4 << 20) - 3000);
        const length = 1 + ((index * 31) % 3000);
        return (await readAll(disk, BigInt(offset), length)).equals(content.subarray(offset, offset + length));
      });
      expect((await Promise.all(jobs)).every(Boolean)).toBe(true);
    });
  });

  it("lists extents, all of them across 4 GiB and one at a time", async () => {
    const { uri } = await nbdkitServer("unix", "data", "@0x10000 1 @0x180000000 2 @0x1ffffffff 3");
    await using disk = await connect(uri());
    const data = (await allExtents(disk, 0n, disk.size)).filter(({ hole }) => !hole);
    expect(data.map(({ offset }) => offset)).toEqual([0x10000n, 0x180000000n, 0x1ffff8000n]);
    expect(await disk.extents(0n, disk.size, extentFlags(true))).toEqual([{ offset: 0n, length: 0x10000n, hole: true, zero: true }]);
    expect((await readAll(disk, 0x1ffffffffn, 1))[0]).toBe(3);
  });

  it("reads a sparse disk of noise as libnbd's tools do", async () => {
    const { uri } = await nbdkitServer("unix", "sparse-random", "64M", "seed=42", "percent=20");
    await using disk = await connect(uri(), { connections: 4 });
    const whole = await readAll(disk, 0n, 64 << 20);
    for (const { offset, length, zero } of await allExtents(disk, 0n, disk.size)) {
      const part = whole.subarray(Number(offset), Number(offset + length));
      if (zero === true) expect(part.equals(Buffer.alloc(part.length))).toBe(true);
      else expect(part.some((byte) => byte !== 0)).toBe(true);
    }
  });

  it.each(["EPERM", "EIO", "ENOMEM", "EINVAL", "ENOSPC", "ESHUTDOWN"])(
    "fails with %s in the code that a program looks for",
    async (code) => {
      const { uri } = await nbdkitServer("unix", "--filter=error", "memory", "1M", `error=${code}`, "error-pread-rate=100%");
      await using disk = await connect(uri());
      await disk.write(new Uint8Array(10), 0n);
      await expect(disk.read(new Uint8Array(10), 5n)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(`cannot read 10 bytes at 5: the server answers ${code}`),
      });
    },
  );

  it("loses no error among many requests", async () => {
    const folder = tree();
    const { uri } = await nbdkitServer(
      "unix",
      "--filter=error",
      "memory",
      "1M",
      "error-pwrite-rate=100%",
      `error-pwrite-file=${join(folder, "inject")}`,
    );
    await using disk = await connect(uri(), { connections: 2 });
    await disk.write(new Uint8Array(512), 0n);
    writeFileSync(join(folder, "inject"), "");
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => disk.write(new Uint8Array(512), BigInt(index) * 512n)),
    );
    expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(200);
    rmSync(join(folder, "inject"));
    await disk.write(new Uint8Array(512), 0n);
  });

  it("without structured replies has simple ones, and neither holes nor contexts", async () => {
    const { uri } = await nbdkitServer("unix", "--no-sr", "data", "size=1M", "1 2 3");
    await using disk = await connect(uri());
    expect(disk.negotiated).toMatchObject({ structured: false, extended: false });
    expect(disk.capabilities.extents).toBe(false);
    expect([...(await readAll(disk, 0n, 4))]).toEqual([1, 2, 3, 0]);
    expect(await disk.extents(0n, disk.size)).toEqual([{ offset: 0n, length: disk.size, hole: false, zero: false }]);
    expect(await listContexts(uri())).toEqual([]);
    await expect(connect(uri(), { contexts: ["x-some:thing"] })).rejects.toMatchObject({ code: "ENOTSUP" });
  });

  it.each([0, 1, 2])("with handshake flags 0x%i only is used all the same", async (mask) => {
    const { uri } = await nbdkitServer("unix", `--mask-handshake=${mask}`, "data", "size=1M", "1 2 3");
    await using disk = await connect(uri());
    expect(disk.size).toBe(1n << 20n);
    expect(disk.negotiated.structured).toBe(mask === 1);
    expect([...(await readAll(disk, 0n, 4))]).toEqual([1, 2, 3, 0]);
    if (mask !== 1)
      await expect(listExports(uri())).rejects.toMatchObject({ code: "ENOTSUP", message: expect.stringContaining("too old") });
  });

  it("with the oldstyle negotiation is refused with a clear error", async () => {
    const { uri } = await nbdkitServer("unix", "--oldstyle", "memory", "1M");
    await expect(connect(uri())).rejects.toMatchObject({ code: "EPROTO", message: expect.stringContaining("oldstyle") });
  });

  it("is read-only when it says so, and one connection is used where it does not want more", async () => {
    const { uri } = await nbdkitServer("unix", "--readonly", "--filter=multi-conn", "memory", "1M", "multi-conn-mode=disable");
    await using disk = await connect(uri(), { connections: 4 });
    expect(disk.capabilities.write).toBe(false);
    expect(disk.negotiated.connections).toBe(1);
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "EPERM" }));
  });

  it("has its block sizes kept", async () => {
    const { uri } = await nbdkitServer(
      "unix",
      "--filter=blocksize-policy",
      "memory",
      "10M",
      "blocksize-minimum=512",
      "blocksize-preferred=4096",
      "blocksize-maximum=64K",
      "blocksize-error-policy=error",
    );
    await using disk = await connect(uri());
    expect(disk.blockSize).toEqual({ minimum: 512, preferred: 4096, maximum: 65536 });
    const content = noise(1 << 20);
    await disk.write(content, 512n);
    expect((await readAll(disk, 512n, 1 << 20)).equals(content)).toBe(true);
    expect(() => disk.read(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "EINVAL" }));
    expect((await disk.extents(700n, 100n))[0]).toMatchObject({ offset: 700n, length: 100n });
  });

  it("of the largest size is used to its last byte", async () => {
    const { uri } = await nbdkitServer("unix", "memory", String(2n ** 63n - 1n));
    await using disk = await connect(uri());
    expect(disk.size).toBe(2n ** 63n - 1n);
    await disk.write(Buffer.from("end"), disk.size - 3n);
    expect((await readAll(disk, disk.size - 5n, 5)).toString()).toBe("\0\0end");
  });

  it("that is slow is given up after requestTimeout", async () => {
    const { uri } = await nbdkitServer("unix", "--filter=delay", "memory", "1M", "delay-read=10");
    const disk = await connect(uri(), { requestTimeout: 100 });
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    await disk.close();
  });

  it("that is killed fails what is under way", async () => {
    const { uri, running } = await nbdkitServer("unix", "--filter=delay", "memory", "1M", "delay-read=10");
    const disk = await connect(uri());
    const reading = Promise.allSettled([disk.read(new Uint8Array(1), 0n), disk.read(new Uint8Array(1), 1n)]);
    running.kill("SIGKILL");
    for (const outcome of await reading) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "ECONNRESET" } });
    await disk.close();
  });
});
