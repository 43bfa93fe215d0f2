// qemu-io writes and verifies patterns, as a virtual machine's disk driver would: in order, at random, aligned and not.

import { expect, it } from "vitest";
import { pipe } from "../../src/contract/index.ts";
import { noise } from "../fixtures/bytes.ts";
import { nbdkit, qemuNbd } from "../fixtures/peers.ts";
import { late, ram, when } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

/** Runs commands in one qemu-io, which fails when a pattern is not what it should be. */
async function qemuIo(uri: string, ...commands: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run("qemu-io", ["-f", "raw", "-t", "writeback", ...commands.flatMap((command) => ["-c", command]), uri]);
  expect(stdout + stderr).not.toMatch(/failed|error/i);
  return stdout;
}

describeWith(["qemu-io", "qemu-nbd", "nbdkit"], "qemu-io", () => {
  overEach((reach) => {
    it.each(["at once", "late"])("writes and reads patterns, from a byte to 32 MiB, on a disk that answers %s", async (how) => {
      const disk = ram(36 * MiB);
      const { uri } = await served(reach, how === "late" ? pipe(disk, late(3)) : disk);
      await qemuIo(
        uri,
        "write -P 1 0 36M",
        "write -P 2 1 1",
        "write -P 3 511 2",
        "write -P 4 4095 4098",
        "write -P 5 1M 32M",
        "write -P 6 37748735 1",
        "read -P 1 0 1",
        "read -P 2 1 1",
        "read -P 1 2 509",
        "read -P 3 511 2",
        "read -P 1 513 3582",
        "read -P 4 4095 4098",
        "read -P 1 8193 1040383",
        "read -P 5 1M 32M",
        "read -P 1 33M 3145727",
        "read -P 6 37748735 1",
      );
      expect(disk.bytes.readUInt8(4095)).toBe(4);
    });

    it("is caught when it reads what was not written", async () => {
      const { uri } = await served(reach, ram(MiB));
      const { stdout } = await run("qemu-io", ["-f", "raw", "-c", "write -P 1 0 4k", "-c", "read -P 2 0 4k", uri], { status: 1 });
      expect(stdout).toContain("Pattern verification failed at offset 0, 4096 bytes");
    });

    it.each(["at once", "late"])("has sixty-four writes and reads in flight on a disk that answers %s", async (how) => {
      const disk = ram(4 * MiB);
      const { uri } = await served(reach, how === "late" ? pipe(disk, late(10)) : disk);
      const slots = Array.from({ length: 64 }, (_, slot) => ({ pattern: slot + 1, at: slot * 65536, length: 65536 - slot * 512 }));
      const stdout = await qemuIo(
        uri,
        ...slots.map(({ pattern, at, length }) => `aio_write -P ${pattern} ${at} ${length}`),
        "aio_flush",
        ...slots.map(({ pattern, at, length }) => `aio_read -P ${pattern} ${at} ${length}`),
        "aio_flush",
      );
      expect(stdout.match(/^wrote/gm)).toHaveLength(64);
      expect(stdout.match(/^read/gm)).toHaveLength(64);
      for (const { pattern, at, length } of slots)
        expect(disk.bytes.subarray(at, at + length).equals(Buffer.alloc(length, pattern))).toBe(true);
    });

    it("zeroes with and without leaving holes, and discards", async () => {
      const disk = ram(noise(4 * MiB));
      const seen: string[] = [];
      const look = when((operation, offset, length) => {
        if (operation === "zero" || operation === "trim") seen.push(`${operation} ${length} ${offset}`);
      });
      const { uri } = await served(reach, pipe(disk, look));
      await qemuIo(
        uri,
        "write -z 0 1M",
        "write -z -u 1M 1M",
        "discard 2M 512k",
        "write -z 3145729 1000",
        "read -P 0 0 2560k",
        "read -P 0 3145729 1000",
      );
      expect(seen).toEqual(["zero 1048576 0", "zero 1048576 1048576", "trim 524288 2097152", "zero 1000 3145729"]);
    });

    it("forces its writes to the disk, one by one or by a flush", async () => {
      const seen: string[] = [];
      const plugin = ram(MiB, {
        write: (_source, offset, { fua }) => void seen.push(`write ${offset}${fua ? " fua" : ""}`),
        zero: (offset, _length, { fua, noHole }) => void seen.push(`zero ${offset}${fua ? " fua" : ""}${noHole ? " noHole" : ""}`),
        flush: () => void seen.push("flush"),
      });
      const { uri } = await served(reach, plugin);
      await qemuIo(uri, "write -f 0 4k", "write 4k 4k", "flush", "write -f -z 8k 4k", "write -z -u -f 12k 4k");
      expect(seen.slice(0, 5)).toEqual(["write 0 fua", "write 4096", "flush", "zero 8192 fua noHole", "zero 12288 fua"]);
    });

    it("asks for whole blocks where the disk says that it has no smaller ones", async () => {
      const disk = ram(8 * MiB, { blockSize: { minimum: 4096, preferred: 65536, maximum: MiB } });
      const odd: string[] = [];
      const look = when((operation, offset, length) => {
        const inBounds = operation === "read" || operation === "write" ? length <= BigInt(MiB) : true;
        if (offset % 4096n !== 0n || length % 4096n !== 0n || !inBounds) odd.push(`${operation} ${length} ${offset}`);
      });
      const { uri } = await served(reach, pipe(disk, look));
      await qemuIo(
        uri,
        "write -P 1 0 8M",
        "write -P 2 1000 10000",
        "write -P 3 4095 2",
        "write -z 100000 100000",
        "discard 300k 100k",
        "read -P 1 0 1000",
        "read -P 2 1000 3095",
        "read -P 3 4095 2",
        "read -P 2 4097 6903",
        "read -P 1 11000 89000",
        "read -P 0 100000 100000",
        "read -P 1 200000 107200",
        "read -P 1 400k 1M",
      );
      expect(odd).toEqual([]);
    });

    it.each(["qemu-nbd", "nbdkit"])("reaches a disk of ours through %s, which is then our client", async (between) => {
      const disk = ram(8 * MiB);
      const { uri } = await served(reach, disk);
      const proxy =
        between === "nbdkit" ? await nbdkit(reach, ["nbd", uri]) : await qemuNbd(reach, ["--format=raw", "--discard=unmap", uri]);
      await qemuIo(
        proxy,
        "write -P 1 0 8M",
        "write -P 2 12345 67890",
        "write -z -u 4M 1M",
        "discard 6M 1M",
        "flush",
        "read -P 2 12345 67890",
      );
      expect(disk.bytes.readUInt8(12345)).toBe(2);
      expect(disk.bytes.subarray(4 * MiB, 5 * MiB).equals(Buffer.alloc(MiB))).toBe(true);
      const map = JSON.parse((await run("qemu-img", ["map", "-f", "raw", "--output=json", proxy])).stdout) as Record<string, unknown>[];
      expect(map.map(({ start, length, zero }) => ({ start, length, zero }))).toEqual([
        { start: 0, length: 4 * MiB, zero: false },
        { start: 4 * MiB, length: MiB, zero: true },
        { start: 5 * MiB, length: MiB, zero: false },
        { start: 6 * MiB, length: MiB, zero: true },
        { start: 7 * MiB, length: MiB, zero: false },
      ]);
    });
  });
});
