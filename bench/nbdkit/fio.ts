// The rows of the comparison, each a run of fio with its nbd engine.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Running } from "./servers.ts";

/** What fio does in a row, and what the ratio to nbdkit is to be. */
export interface Row {
  readonly name: string;
  readonly rw: "randread" | "randwrite" | "read" | "write";
  readonly block: string;
  readonly depth: number;
  readonly unit: "IOPS" | "MiB/s";
  /** The least ratio that is good enough. */
  readonly target: number;
}

export const rows: readonly Row[] = [
  { name: "randread 4k depth 1", rw: "randread", block: "4k", depth: 1, unit: "IOPS", target: 1 },
  { name: "randread 4k depth 32", rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 1.3 },
  { name: "randwrite 4k depth 32", rw: "randwrite", block: "4k", depth: 32, unit: "IOPS", target: 1 },
  { name: "read 64k depth 16", rw: "read", block: "64k", depth: 16, unit: "MiB/s", target: 1.3 },
  { name: "read 256k depth 8", rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.3 },
  { name: "write 256k depth 8", rw: "write", block: "256k", depth: 8, unit: "MiB/s", target: 1 },
  { name: "read 1M depth 4", rw: "read", block: "1M", depth: 4, unit: "MiB/s", target: 1.3 },
  { name: "write 1M depth 4", rw: "write", block: "1M", depth: 4, unit: "MiB/s", target: 1 },
];

interface FioJob {
  readonly error: number;
  readonly read: FioSide;
  readonly write: FioSide;
}

interface FioSide {
  readonly iops: number;
  readonly bw_bytes: number;
}

/** What a run came to. */
export interface Run {
  /** IOPS or MiB/s. */
  readonly figure: number;
  /** Microseconds of processor time that the server used for each request: says more than the figure where other programs run as well. */
  readonly cpu: number;
}

/** Seconds at the start of a run that do not count. */
const RAMP = 0.5;

/** Runs a row on a server for so many seconds. */
export async function runRow({ rw, block, depth, unit }: Row, { name, uri, cpu }: Running, seconds: number): Promise<Run> {
  const before = cpu();
  const { stdout } = await promisify(execFile)("fio", [
    "--name=row",
    "--ioengine=nbd",
    `--uri=${uri}`,
    `--rw=${rw}`,
    `--bs=${block}`,
    `--iodepth=${depth}`,
    "--norandommap",
    "--time_based",
    `--runtime=${seconds}`,
    `--ramp_time=${RAMP * 1000}ms`,
    "--output-format=json",
  ]);
  // fio may write notes before the JSON.
  const [job] = (JSON.parse(stdout.slice(stdout.indexOf("{"))) as { jobs: FioJob[] }).jobs;
  if (job === undefined || job.error !== 0) throw new Error(`fio failed on ${name} with error ${job?.error}`);
  const side = rw.endsWith("read") ? job.read : job.write;
  return {
    figure: unit === "IOPS" ? side.iops : side.bw_bytes / 2 ** 20,
    cpu: ((cpu() - before) / (side.iops * (seconds + RAMP))) * 1e6,
  };
}
