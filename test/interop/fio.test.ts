// fio writes checksummed blocks, many at a time, and reads them back: what comes back must be what went in, and where it went.

import { expect, it } from "vitest";
import { type Plugin, pipe } from "../../src/contract/index.ts";
import { memory } from "../../src/plugins/memory.ts";
import { late, type Operation, ram, when } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024 * 1024;

/** What fio did in a job, of what it reports. */
interface Job {
  readonly error: number;
  readonly read: { readonly io_bytes: number };
  readonly write: { readonly io_bytes: number };
  readonly trim: { readonly io_bytes: number };
}

const verified = ["--verify=crc32c", "--verify_fatal=1", "--randseed=7"];

/** Runs one fio job and answers what its clones did. */
async function fio(uri: string, ...options: readonly string[]): Promise<Job[]> {
  const args = ["--name=job", "--ioengine=nbd", `--uri=${uri}`, "--output-format=json", ...options];
  const { stdout } = await run("fio", args, { cwd: tree(), timeout: 19_000 });
  return (JSON.parse(stdout.slice(stdout.indexOf("{"))) as { jobs: Job[] }).jobs;
}

describeWith(["fio"], "fio", () => {
  overEach((reach) => {
    it.each([
      ["at random, in blocks of 4 KiB, 32 at a time", ["--rw=randwrite", "--bs=4k", "--iodepth=32", "--size=16M"]],
      [
        "at random, in blocks of 512 bytes to 1 MiB",
        ["--rw=randwrite", "--bsrange=512-1M", "--blockalign=512", "--iodepth=16", "--size=32M"],
      ],
      [
        "one after the other, in blocks of odd sizes",
        ["--rw=write", "--bsrange=1000-200k", "--bs_unaligned=1", "--iodepth=8", "--size=16M"],
      ],
      ["with forced flushes between", ["--rw=randwrite", "--bs=8k", "--iodepth=8", "--fsync=16", "--size=4M"]],
      ["in 32 MiB at once", ["--rw=write", "--bs=32M", "--iodepth=2", "--size=64M"]],
    ])("finds what it wrote %s", async (_, options) => {
      const { uri } = await served(reach, memory("64M"));
      const [job] = await fio(uri, ...verified, ...options);
      expect(job?.error).toBe(0);
      expect(job?.write.io_bytes).toBeGreaterThanOrEqual(4 * MiB);
      expect(job?.read.io_bytes).toBe(job?.write.io_bytes);
    });

    it("finds what it wrote on a disk that answers late, in any order", async () => {
      const { uri } = await served(reach, pipe(ram(32 * MiB), late(4)));
      const options = ["--rw=randwrite", "--bsrange=512-256k", "--blockalign=512", "--iodepth=64", "--size=16M"];
      const [job] = await fio(uri, ...verified, ...options);
      expect(job?.error).toBe(0);
      expect(job?.read.io_bytes).toBe(job?.write.io_bytes);
    });

    it("finds what it wrote while it reads and writes, looking back now and then", async () => {
      const { uri } = await served(reach, memory("32M"));
      const options = ["--rw=randrw", "--bs=16k", "--iodepth=16", "--size=16M", "--verify_backlog=64", "--verify_backlog_batch=32"];
      const [job] = await fio(uri, ...verified, ...options);
      expect(job?.error).toBe(0);
      expect(job?.read.io_bytes).toBeGreaterThan(8 * MiB);
    });

    it.each<[string, Plugin]>([
      ["a disk that answers late", pipe(ram(64 * MiB), late(3))],
      ["sparse memory", memory("64M")],
      ["flat memory", memory("64M", { allocator: "malloc" })],
    ])("finds what four jobs wrote over connections of their own, on %s", async (_, disk) => {
      const { uri } = await served(reach, disk);
      const options = [
        "--rw=randwrite",
        "--bssplit=512/20:4k/50:128k/30",
        "--iodepth=16",
        "--numjobs=4",
        "--size=8M",
        "--offset_increment=16M",
      ];
      const jobs = await fio(uri, ...verified, ...options);
      expect(jobs.map(({ error }) => error)).toEqual([0, 0, 0, 0]);
      for (const job of jobs) expect(job.read.io_bytes).toBe(8 * MiB);
    });

    it("trims and writes in turn", async () => {
      const seen = new Map<Operation, bigint>();
      const look = when((operation, _offset, length) => void seen.set(operation, (seen.get(operation) ?? 0n) + length));
      const { uri } = await served(reach, pipe(ram(16 * MiB), look));
      const [job] = await fio(uri, ...verified, "--rw=trimwrite", "--bs=64k", "--iodepth=8", "--size=16M");
      expect(job?.error).toBe(0);
      expect(job?.trim.io_bytes).toBeGreaterThan(0);
      expect(seen.get("trim")).toBe(BigInt(job?.trim.io_bytes ?? 0));
      expect(seen.get("write")).toBe(BigInt(job?.write.io_bytes ?? 0));
    });

    it("finds out when a single bit is not what it was", async () => {
      const disk = ram(4 * MiB, { views: undefined as never });
      const bent = when((operation) => {
        if (operation === "read") disk.bytes.writeUInt8(disk.bytes.readUInt8(123_456) ^ 1, 123_456);
      });
      const { uri } = await served(reach, pipe(disk, bent));
      const options = ["--name=job", "--ioengine=nbd", `--uri=${uri}`, ...verified, "--rw=write", "--bs=2M", "--size=2M"];
      const { status, stderr } = await run("fio", options, { cwd: tree(), status: "any" });
      expect(status).not.toBe(0);
      expect(stderr).toContain("verify");
    });
  });
});
