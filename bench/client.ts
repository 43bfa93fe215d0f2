// How fast the client is against nbdkit's memory disk on a unix socket: MiB/s of 256 KiB requests at depth 16, IOPS of 4 KiB requests at depth 32.
// `node bench/run.mjs client [seconds for each row] [connections]`. CPU time is this process's own: it means something on a busy machine too.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type RemoteDisk } from "../src/client/index.ts";

interface Row {
  readonly name: string;
  readonly size: number;
  readonly depth: number;
  readonly write: boolean;
}

const rows: readonly Row[] = [
  { name: "read 4 KiB, depth 1", size: 4096, depth: 1, write: false },
  { name: "read 4 KiB, depth 32", size: 4096, depth: 32, write: false },
  { name: "write 4 KiB, depth 32", size: 4096, depth: 32, write: true },
  { name: "read 64 KiB, depth 16", size: 65_536, depth: 16, write: false },
  { name: "read 256 KiB, depth 16", size: 262_144, depth: 16, write: false },
  { name: "write 256 KiB, depth 16", size: 262_144, depth: 16, write: true },
  { name: "read 1 MiB, depth 8", size: 1_048_576, depth: 8, write: false },
];

const SIZE = 1n << 28n;

interface Result {
  /** Requests per second. */
  readonly rate: number;
  /** Microseconds of this process's CPU time for each request: comparable on a busy machine too. */
  readonly cpu: number;
}

async function measure(disk: RemoteDisk, { size, depth, write }: Row, milliseconds: number): Promise<Result> {
  const places = Number(SIZE) / size;
  let done = 0;
  const end = performance.now() + milliseconds;
  const worker = async (number: number): Promise<void> => {
    const buffer = Buffer.alloc(size, number + 1);
    // A stride that is prime to the number of places visits them all.
    for (let place = number * 7919; performance.now() < end; place += 104_729) {
      const offset = BigInt((place % places) * size);
      await (write ? disk.write(buffer, offset) : disk.read(buffer, offset));
      done += 1;
    }
  };
  const begin = performance.now();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: depth }, (_, number) => worker(number)));
  const { user, system } = process.cpuUsage(before);
  return { rate: done / ((performance.now() - begin) / 1000), cpu: (user + system) / done };
}

async function main(seconds: number, connections: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "diskwright-bench-"));
  const socket = join(directory, "socket");
  const server = spawn("nbdkit", ["--foreground", "--exit-with-parent", "--unix", socket, "memory", String(SIZE)], { stdio: "inherit" });
  try {
    while (!existsSync(socket)) await sleep(10);
    await using disk = await connect(`nbd+unix:///?socket=${socket}`, { connections });
    const filled = Buffer.alloc(1 << 20, 0x55);
    for (let at = 0n; at < SIZE; at += 1n << 20n) await disk.write(filled, at);
    for (const row of rows) {
      await measure(disk, row, 300);
      const { rate, cpu } = await measure(disk, row, seconds * 1000);
      const show = (value: number, width: number): string => Math.round(value).toLocaleString("en").padStart(width);
      console.log(
        `${row.name.padEnd(26)} ${show(rate, 9)} IOPS ${show((rate * row.size) / (1 << 20), 7)} MiB/s ${cpu.toFixed(1).padStart(7)} µs CPU`,
      );
    }
  } finally {
    server.kill();
    rmSync(directory, { recursive: true });
  }
}

await main(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 1));
