// Child processes that die with us: with bounded output, fed from memory, ended when they are no longer wanted.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { DiskError, errorText } from "../contract/error.ts";
import { guard, prepareGuard } from "./child/guard.ts";
import { Output } from "./child/output.ts";
import { type ChildPipes, Pipes } from "./child/pipes.ts";

/** How to run a child. */
export interface ChildOptions {
  /** Variables beside those of this process; one that is `undefined` is taken away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where it runs. Default: where this process does. */
  readonly cwd?: string;
  /** What it reads on its standard input. Default: nothing. It need not read all of it. */
  readonly input?: Uint8Array | string;
  /**
   * Where its standard input, output and error come from. Without it they are sockets: the same to read and write, but a script cannot open
   * them as `/dev/stdin`, `/dev/stdout` and `/dev/stderr`. See {@link pipesIn}.
   */
  readonly pipes?: Pipes;
  /** A file descriptor that its standard output goes to, instead of being kept. */
  readonly output?: number;
  /** Bytes that it may write to its standard output; more is an error, and ends it. Default: 64 MiB. */
  readonly maxOutput?: number;
  /** No more than `maxOutput` bytes are wanted: when there are more the child is ended, which is no error. Default: false. */
  readonly truncate?: boolean;
  /** Ends it: it is asked to (SIGTERM), and made to (SIGKILL) two seconds later. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which it is ended. Default: it has all the time it takes. */
  readonly timeout?: number;
}

/** How a child ended. */
export interface ChildResult {
  /** Its exit code; null where a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it; null where it ended by itself. */
  readonly signal: NodeJS.Signals | null;
  /** What it wrote to its standard output. */
  readonly stdout: Buffer;
  /** The first 64 KiB of what it wrote to its standard error. */
  readonly stderr: string;
}

/** A child that runs for longer. */
export interface Child {
  readonly pid: number;
  /** Settles when it has ended and its output is read; never rejects. */
  readonly ended: Promise<ChildResult>;
  /** Ends it, with all that it started itself: SIGTERM, and two seconds later SIGKILL. Settles when it has ended. */
  stop(): Promise<void>;
}

/** How to start a child that runs for longer. */
export interface StartOptions extends Pick<ChildOptions, "env" | "cwd"> {
  /** File descriptors that it gets, as 3, 4 and so on. */
  readonly descriptors?: readonly number[];
}

/** Nobody has to know more than this of what went wrong. */
const MAX_ERROR_OUTPUT = 64 * 1024;
const MAX_OUTPUT = 64 * 1024 * 1024;
/** Milliseconds between asking a child to end and making it do so. */
const GRACE = 2000;

/**
 * Runs a program to its end. How it ended is for the caller to judge: an exit code other than 0 is no error here.
 *
 * The child gets a process group of its own, and the whole group is ended with it, and with this process, however that one ends. (On systems
 * other than Windows a guard sees to that, see child/guard.ts; on Windows the system itself does.)
 *
 * @throws DiskError with the system's code when it cannot be started, `EOVERFLOW` when it writes too much, `ETIMEDOUT`; the signal's reason when
 *   that is aborted. It has ended by then.
 */
export async function runChild(program: string, args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  const { signal, timeout, input, maxOutput = MAX_OUTPUT, truncate = false } = options;
  signal?.throwIfAborted();
  const pipes = await options.pipes?.take(input !== undefined);
  const stdio = pipes === undefined ? (["pipe", options.output ?? "pipe", "pipe"] as const) : pipes.stdio;
  const running = await start(program, args, options, [...stdio], maxOutput, pipes);
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    void running.stop();
  };
  const abort = (): void => fail(signal?.reason);
  const late = (): void => fail(new DiskError("ETIMEDOUT", `${program} had not ended after ${timeout} ms`));
  const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
  signal?.addEventListener("abort", abort, { once: true });
  // The signal may have been aborted while the child was being started.
  if (signal?.aborted) abort();
  running.output.onOverflow = () => {
    if (truncate) void running.stop();
    else fail(new DiskError("EOVERFLOW", `${program} wrote more than the ${maxOutput} bytes that were expected of it`));
  };
  const { stdin } = running;
  // It may end, or close its input, before it has read everything: its exit code says what that means.
  stdin?.on("error", () => undefined);
  stdin?.end(input);
  const result = await running.ended;
  clearTimeout(timer);
  signal?.removeEventListener("abort", abort);
  if (failure !== undefined) throw failure.error;
  return result;
}

/**
 * Starts a program that runs until it is stopped, or we end. Its standard input is empty, and its standard output goes nowhere.
 *
 * @throws DiskError with the system's code when it cannot be started
 */
export function startChild(program: string, args: readonly string[], options: StartOptions = {}): Promise<Child> {
  return start(program, args, options, ["ignore", "ignore", "pipe", ...(options.descriptors ?? [])], 0);
}

/**
 * A supply of real pipes for children.
 *
 * @param folder - a folder that is not there yet; to be removed when no child runs any more
 */
export function pipesIn(folder: string): Pipes {
  return new Pipes(folder, async (cwd, names) => {
    const { code, stderr } = await runChild("mkfifo", ["-m", "600", ...names], { cwd });
    if (code !== 0) throw new DiskError("EIO", `cannot make pipes: ${stderr.trim()}`);
  });
}

interface Running extends Child {
  readonly stdin: Writable | null;
  readonly output: Output;
}

async function start(
  program: string,
  args: readonly string[],
  { env, cwd }: Pick<ChildOptions, "env" | "cwd">,
  stdio: NonNullable<SpawnOptions["stdio"]>,
  maxOutput: number,
  pipes?: ChildPipes,
): Promise<Running> {
  const inGroup = process.platform !== "win32";
  prepareGuard();
  const { child, started, release } = spawned(program, args, pipes, {
    stdio,
    // A group of its own, which can be ended as one; on Windows a detached child would not end with us.
    detached: inGroup,
    windowsHide: true,
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env: { ...process.env, ...env } }),
  });
  await started;
  const pid = child.pid as number;
  const { stdin, stdout, stderr } = pipes ?? child;
  const output = new Output(stdout, maxOutput);
  const errors = new Output(stderr, MAX_ERROR_OUTPUT);
  let stopping: NodeJS.Timeout | undefined;

  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (inGroup) process.kill(-pid, signal);
      else child.kill(signal);
    } catch {
      // There is nobody left to end.
    }
  };
  child.once("exit", () => {
    if (stopping === undefined) return;
    // What it has started may hold its output open.
    kill("SIGKILL");
    stdout?.destroy();
    stderr?.destroy();
  });
  const ended = (async (): Promise<ChildResult> => {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.once("close", (...how) => resolve(how));
    });
    // Node.js waits for the end of what it made itself.
    stdin?.destroy();
    await Promise.all([closing(stdout), closing(stderr)]);
    clearTimeout(stopping);
    release();
    return { code, signal, stdout: output.bytes(), stderr: errors.bytes().toString() };
  })();
  return {
    stdin: stdin ?? null,
    pid,
    output,
    ended,
    async stop() {
      if (stopping === undefined) {
        stopping = setTimeout(kill, GRACE, "SIGKILL");
        if (child.exitCode !== null || child.signalCode !== null) {
          // It has ended; what it has started has not.
          kill("SIGKILL");
          stdout?.destroy();
          stderr?.destroy();
        } else kill("SIGTERM");
      }
      await ended;
    },
  };
}

/** Settles when a stream is closed. */
async function closing(stream: Readable | null): Promise<void> {
  if (stream !== null && !stream.closed) await new Promise<void>((resolve) => void stream.once("close", resolve));
}

/** Starts a child, guarded from its first moment. */
function spawned(
  program: string,
  args: readonly string[],
  pipes: ChildPipes | undefined,
  options: SpawnOptions,
): { readonly child: ChildProcess; readonly started: Promise<void>; readonly release: () => void } {
  const refuse = (error: NodeJS.ErrnoException): DiskError => {
    for (const stream of [pipes?.stdin, pipes?.stdout, pipes?.stderr]) stream?.destroy();
    const missing =
      options.cwd === undefined ? "there is no such program" : `there is no such program, or no folder ${String(options.cwd)}`;
    const why = error.code === "ENOENT" ? missing : error.code === "EACCES" ? "it may not be executed" : errorText(error);
    return new DiskError(error.code ?? "EIO", `cannot run ${program}: ${why}`, { cause: error });
  };
  let child: ChildProcess;
  try {
    child = spawn(program, args, options);
  } catch (error) {
    throw refuse(error as NodeJS.ErrnoException);
  } finally {
    pipes?.handedOver();
  }
  const release = child.pid === undefined ? () => undefined : guard(child.pid);
  const started = new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(refuse(error));
    child.once("error", failed);
    child.once("spawn", () => {
      child.off("error", failed);
      // Once it runs this is about a signal that could not be sent: then it has ended.
      child.on("error", () => undefined);
      resolve();
    });
  });
  return { child, started, release };
}
