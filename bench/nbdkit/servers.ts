// The servers that are compared, each a child process on a unix socket.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./client.ts";
import type { Place, Suite } from "./suite.ts";

/** A server that can be started. */
export interface Contender {
  readonly name: string;
  /** Which one it is, for the report. */
  version(): string;
  /** Starts it with the suite's disk and waits until it takes clients. */
  start(): Promise<Running>;
}

/** A server that runs. */
export interface Running {
  readonly name: string;
  readonly socket: string;
  readonly uri: string;
  /** Milliseconds from its start to its first client's first byte. */
  readonly firstByte: number;
  /** MiB of memory that it has now. */
  rss(): number;
  /** Seconds of processor time that it has used, all threads together. */
  cpu(): number;
  stop(): Promise<void>;
}

/** nbdkit, with its sixteen threads. */
export function nbdkit(suite: Suite, place: Place, name = "nbdkit"): Contender {
  const argv = (socket: string): [string, ...string[]] => [
    "nbdkit",
    "--foreground",
    "--exit-with-parent",
    "--unix",
    socket,
    ...suite.serve(place),
  ];
  return {
    name,
    version: () => execFileSync("nbdkit", ["--version"], { encoding: "utf8" }).trim(),
    start: () => start(name, suite, place, argv),
  };
}

/**
 * Our command, as it is built.
 *
 * @param built - the folder that it was built into
 */
export function diskwright(suite: Suite, place: Place, built: string): Contender {
  const command = (socket: string): [string, ...string[]] => [
    process.execPath,
    join(built, "cli.js"),
    "serve",
    "--exit-with-parent",
    "--unix",
    socket,
    ...suite.serve(place),
  ];
  const argv = (socket: string): readonly [string, ...string[]] => suite.serveOurs?.(place, socket) ?? command(socket);
  const version = (): string => `diskwright ${packageVersion()} on Node ${process.version}${commit()}`;
  return { name: "diskwright", version, start: () => start("diskwright", suite, place, argv) };
}

async function start(
  name: string,
  suite: Suite,
  place: Place,
  command: (socket: string) => readonly [string, ...string[]],
): Promise<Running> {
  await suite.prepareOwn?.(place);
  const folder = mkdtempSync(join(tmpdir(), "diskwright-bench-"));
  const socket = join(folder, "socket");
  const [program, ...parameters] = command(socket);
  const started = performance.now();
  const child = spawn(program, parameters, { stdio: ["ignore", "inherit", "inherit"] });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await firstRead(child, name, socket);
  } catch (error) {
    await stop();
    throw error;
  }
  const firstByte = performance.now() - started;
  return { name, socket, uri: `nbd+unix:///?socket=${socket}`, firstByte, rss: () => rss(child), cpu: () => cpu(child), stop };
}

/** Knocks until the server answers, as those who spawn servers have to. */
async function firstRead(child: ChildProcess, name: string, socket: string): Promise<void> {
  let failure: unknown;
  child.once("error", (error) => {
    failure = error;
  });
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
    if (failure !== undefined || child.exitCode !== null) throw new Error(`${name} did not start`, { cause: failure });
    try {
      const client = await Client.connect(socket);
      await client.read(0, 512);
      client.close();
      return;
    } catch (error) {
      if (!["ENOENT", "ECONNREFUSED"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
  }
  throw new Error(`${name} does not listen on its socket after 10 seconds`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await closed;
  clearTimeout(timer);
}

function rss(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

function cpu(child: ChildProcess): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
  // After the name, which stands in brackets: utime and stime are the 12th and 13th field, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Writes all of a disk, with bytes that are not zero: reading holes would measure something else. */
export async function fill({ name, uri }: Running): Promise<void> {
  const fio = ["--name=fill", "--ioengine=nbd", `--uri=${uri}`, "--rw=write", "--bs=1M", "--iodepth=4", "--output-format=terse"];
  execFileSync("fio", fio, { stdio: ["ignore", "pipe", "inherit"] });
  const totals = execFileSync("nbdinfo", ["--map", "--totals", uri], { encoding: "utf8" }).trim();
  if (!/^\d+\s+100\.0%\s+0 data$/.test(totals)) throw new Error(`${name}'s disk is not all data after it was filled:\n${totals}`);
}

function packageVersion(): string {
  return (JSON.parse(readFileSync("package.json", "utf8")) as { version: string }).version;
}

function commit(): string {
  try {
    return `, commit ${execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim()}`;
  } catch {
    return "";
  }
}
