// Runs the program that makes a disk: ended with all that it started when it is no longer wanted, and when we are.

import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { DiskError } from "diskwright";

/**
 * The shell that a program runs under when it makes a file with a name. Its file descriptor 4 is a pipe of which only we have the other end: when that
 * is gone, we are, be it by SIGKILL. Then the program is ended, and the folder $1 is removed. The program is $2 with its arguments.
 */
const GUARDED = `
trap : TERM
( trap '' TERM
  read -r _
  kill -s TERM 0
  rm -rf -- "$1"
  kill -s KILL 0 ) <&4 >/dev/null 2>&1 3<&- 4<&- &
guard=$!
shift
"$@" 4<&-
status=$?
kill -s KILL "$guard"
exit "$status"
`;

/** Milliseconds between asking a program to end and making it do so. */
const GRACE = 2000;
/** Bytes of what it writes to standard error that are kept: the last ones. */
const MAX_STDERR = 4096;

/** How a program is run. */
export interface RunOptions {
  /** What errors call it. */
  readonly what: string;
  /** Variables beside those of this process; `undefined` takes one away. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A file descriptor that it gets as 3. */
  readonly descriptor?: number;
  /** A folder that is removed, and the program ended, when we are killed meanwhile. Without it the program is left to itself then. */
  readonly folder?: string;
  /** Ends it, with all that it has started: SIGTERM, and two seconds later SIGKILL. */
  readonly signal: AbortSignal;
}

/**
 * Runs a program until it and all that it started has ended.
 *
 * @throws Error with what it wrote to standard error when it fails; the signal's reason when that is aborted
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<void> {
  const { what, signal, folder } = options;
  signal.throwIfAborted();
  // The shell takes a third of the time that mkfs does.
  const child = await (folder === undefined
    ? started(program, args, options)
    : started("/bin/sh", ["-c", GUARDED, "tmpdisk", folder, program, ...args], options));
  const stderr = new Tail(MAX_STDERR);
  child.stderr?.on("data", (chunk: Buffer) => stderr.add(chunk));
  let killing: NodeJS.Timeout | undefined;
  const abort = (): void => {
    end(child, "SIGTERM");
    killing = setTimeout(end, GRACE, child, "SIGKILL");
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  child.once("exit", () => {
    // What it has left behind would hold its output open, and use the disk.
    end(child, "SIGKILL");
    (child.stdio[4] as Socket | null | undefined)?.destroy();
  });
  const [code, killed] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once("close", (...how) => resolve(how));
  });
  clearTimeout(killing);
  signal.removeEventListener("abort", abort);
  signal.throwIfAborted();
  if (code === 0) return;
  // No DiskError: what programs say is for those who run them, and may name files.
  throw Object.assign(new Error(`tmpdisk: ${what}: ${howItEnded(code, killed)}\n${stderr.text()}`.trimEnd()), { code: "EIO" });
}

function started(program: string, args: readonly string[], { env, descriptor, folder }: RunOptions): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void =>
      reject(Object.assign(new Error(`tmpdisk: cannot run ${program}: ${error.message}`, { cause: error }), { code: error.code ?? "EIO" }));
    const child = spawn(program, args, {
      // A group of its own, which is ended as one.
      detached: true,
      stdio: ["ignore", "ignore", "pipe", descriptor ?? "ignore", folder === undefined ? "ignore" : "pipe"],
      env: { ...process.env, ...env },
    });
    child.once("error", refuse);
    child.once("spawn", () => {
      child.off("error", refuse);
      // Later ones are about signals to one that has ended.
      child.on("error", () => undefined);
      child.stdio[4]?.on("error", () => undefined);
      resolve(child);
    });
  });
}

/** Sends a signal to the program and all that it has started. */
function end({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(pid as number), signal);
  } catch {
    // There is nobody left to end.
  }
}

/** Shells tell of signals by exit codes from 129 on. */
function howItEnded(code: number | null, killed: NodeJS.Signals | null): string {
  const [name] = Object.entries(constants.signals).find(([, number]) => number === (code ?? 0) - 128) ?? [];
  if (killed !== null || name !== undefined) return `it was ended by ${killed ?? name}`;
  return code === 127 ? "it ended with exit code 127: there may be no such program" : `it ended with exit code ${code}`;
}

/** The signal's reason for those who took too long. */
export function tooLate(milliseconds: number): DiskError {
  return new DiskError("ETIMEDOUT", `the disk was not ready after ${milliseconds / 1000} seconds (timeout)`);
}

/** The end of a text. */
class Tail {
  readonly #limit: number;
  #bytes: Buffer = Buffer.alloc(0);
  #cut = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const all = Buffer.concat([this.#bytes, chunk]);
    this.#cut ||= all.length > this.#limit;
    this.#bytes = all.subarray(-this.#limit);
  }

  text(): string {
    return `${this.#cut ? "…" : ""}${this.#bytes.toString()}`;
  }
}
