// The rows of a comparison: a run of fio with its nbd engine, or of any command that is given the server's URI.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client } from "./client.ts";
import type { Running } from "./servers.ts";

/** What is measured, and what the ratio to nbdkit is to be. */
export interface Row {
  readonly name: string;
  readonly unit: "IOPS" | "MiB/s" | "clients/s";
  /** The least ratio that is good enough. */
  readonly target: number;
  /** Measures it once; for about so many seconds, where the row can choose. */
  run(server: Running, seconds: number): Promise<Run>;
}

/** What a run came to. */
export interface Run {
  /** In the row's unit. */
  readonly figure: number;
  /**
   * Microseconds of processor time that the server used for each request, each client, or each MiB that a command moved: says more than the figure where
   * other programs run as well.
   */
  readonly cpu: number;
  /** How much of one processor fio had, 0 to 1: near 1 it is fio that cannot go faster. */
  readonly client?: number;
}

/** A row of fio. */
export interface FioRow {
  readonly rw: "randread" | "randwrite" | "read" | "write";
  readonly block: string;
  readonly depth: number;
  readonly unit: "IOPS" | "MiB/s";
  readonly target: number;
}

/** Seconds at the start of a run of fio that do not count. */
const RAMP = 0.5;

interface FioJob {
  readonly error: number;
  readonly usr_cpu: number;
  readonly sys_cpu: number;
  readonly read: FioSide;
  readonly write: FioSide;
}

interface FioSide {
  readonly iops: number;
  readonly bw_bytes: number;
}

/** Measures with fio, for as long as is asked for. */
export function fioRow({ rw, block, depth, unit, target }: FioRow): Row {
  return {
    name: `${rw} ${block} depth ${depth}`,
    unit,
    target,
    async run({ name, uri, cpu }, seconds) {
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
        client: (job.usr_cpu + job.sys_cpu) / 100,
      };
    },
  };
}

/** A row of a shell command. */
export interface CommandRow {
  readonly name: string;
  /** A shell command that knows `$uri`: `nbdcopy "$uri" null:`. */
  readonly command: string;
  /** How much it moves, in bytes. */
  readonly bytes: number;
  readonly target: number;
}

/** Measures how long a command takes, from its start to its end, as MiB/s. */
export function commandRow({ name, command, bytes, target }: CommandRow): Row {
  return {
    name,
    unit: "MiB/s",
    target,
    async run({ uri, cpu }) {
      const before = cpu();
      const started = performance.now();
      await promisify(execFile)("sh", ["-ec", command], { env: { ...process.env, uri } });
      const seconds = (performance.now() - started) / 1000;
      const mebibytes = bytes / 2 ** 20;
      return { figure: mebibytes / seconds, cpu: ((cpu() - before) / mebibytes) * 1e6 };
    },
  };
}

/** A row of clients that come and go. */
export interface ClientsRow {
  /** How many there are at a time. */
  readonly atOnce: number;
  readonly target: number;
}

/** Measures how many clients a second connect, read 512 bytes and leave. */
export function clientsRow({ atOnce, target }: ClientsRow): Row {
  return {
    name: `clients that come and go, ${atOnce} at a time`,
    unit: "clients/s",
    target,
    async run({ socket, cpu }, seconds) {
      const before = cpu();
      const started = performance.now();
      const visitUntil = async (deadline: number): Promise<number> => {
        let visits = 0;
        for (; performance.now() < deadline; visits++) {
          const client = await Client.connect(socket);
          await client.read(0, 512);
          client.close();
        }
        return visits;
      };
      const visits = await Promise.all(Array.from({ length: atOnce }, () => visitUntil(started + seconds * 1000)));
      const all = visits.reduce((sum, each) => sum + each, 0);
      return { figure: (all / (performance.now() - started)) * 1000, cpu: ((cpu() - before) / all) * 1e6 };
    },
  };
}
