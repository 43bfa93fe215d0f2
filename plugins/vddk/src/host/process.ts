// The library in a process of its own, for each open disk: it may hang or crash there.

import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskError } from "diskwright";
import type { ChildSetup } from "../child.ts";
import { type Located, list } from "../engine/locate.ts";
import type { Answer, OpenedDisk, OpenSpec } from "../jobs.ts";
import { publish, readLines } from "../log.ts";
import { Calls } from "./calls.ts";
import type { HostOptions, OpenHost } from "./host.ts";
import { fileMemory } from "./memory.ts";

/** Warnings that are kept, to say why something failed. */
const LAST_WORDS = 5;
/** Milliseconds in which what a process has written before its end is read. */
const DRAIN = 500;

/** Opens a disk in a new process. */
export async function openInProcess({ located, config, timeout, signal }: HostOptions, spec: OpenSpec): Promise<OpenHost> {
  signal.throwIfAborted();
  const memory = fileMemory();
  let child: ChildProcess;
  try {
    child = start(located, memory.fd);
  } catch (error) {
    memory.close();
    throw error;
  }
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const lastWords = listen(child, spec.file);
  const kill = (): void => void child.kill("SIGKILL");
  const calls = new Calls({ post: (message) => child.send(message, () => undefined), timeout, giveUp: kill });
  child.on("message", (answer: Answer) => calls.answer(answer));
  child.on("error", (error) => calls.fail(new DiskError("EIO", `the process for the VDDK library cannot be run: ${error.message}`)));
  child.once("exit", (code, by) => {
    const tell = (): void => {
      const doing = calls.current === undefined ? "" : ` while it was to ${calls.current}`;
      const cause = new Error(`its last warnings: ${lastWords.join(" | ") || "none"}`);
      calls.fail(new DiskError("EIO", `the VDDK library crashed${doing} (${by ?? `exit code ${code}`})`, { cause }));
    };
    // Its last words may still be on their way; what it has started may keep them from ever ending.
    child.once("close", tell);
    setTimeout(tell, DRAIN).unref();
  });
  const end = async (): Promise<void> => {
    kill();
    await ended;
    memory.close();
  };
  signal.addEventListener("abort", kill, { once: true });
  try {
    const setup: ChildSetup = { located, memory: memory.size };
    child.send(setup, () => undefined);
    await calls.call({ op: "load" });
    await calls.call({ op: "init", libdir: located.libdir, config });
    const disk = (await calls.call({ op: "open", spec })) as OpenedDisk;
    return {
      disk,
      memory,
      call: (job) => calls.call(job),
      async close() {
        try {
          // What failed before this has been told already.
          if (calls.failure !== undefined) return;
          await calls.call({ op: "close", disk });
          await calls.call({ op: "exit" });
        } finally {
          await end();
        }
      },
    };
  } catch (error) {
    await end();
    signal.throwIfAborted();
    throw explained(error, lastWords);
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

function start({ folder }: Located, memory: number): ChildProcess {
  // Spelled so that bundlers see it.
  const program = fileURLToPath(new URL("./child.js", import.meta.url));
  return fork(program, [], {
    stdio: ["ignore", "pipe", "pipe", "ipc", memory],
    serialization: "advanced",
    execArgv: [],
    env: {
      ...process.env,
      NODE_OPTIONS: "",
      LD_LIBRARY_PATH: paths(folder, process.env.LD_LIBRARY_PATH),
      LD_PRELOAD: paths(...ownLibraries(folder), process.env.LD_PRELOAD),
    },
  });
}

function paths(...all: readonly (string | undefined)[]): string {
  return all.filter((path) => path !== undefined && path !== "").join(":");
}

/**
 * Libraries that come with the VDDK and that Node.js needs too, as the files that it has them from: it may be too new for those of the VDDK.
 */
function ownLibraries(folder: string): string[] {
  const names = list(folder).filter((name) => name.includes(".so"));
  // Not by process.report, which asks for the names of all that this process is connected to.
  const mapped = new Set(readFileSync("/proc/self/maps", "utf8").match(/\/.*$/gm));
  // libstdc++.so.6 is a link to libstdc++.so.6.0.30, or the like.
  const theirs = (file: string): boolean => names.some((name) => file === name || file.startsWith(`${name}.`));
  // Those of a VDDK, which this process has where another disk is not isolated, are not its own.
  const own = (path: string): boolean => !list(dirname(path)).some((name) => name.startsWith("libvixDiskLib.so."));
  return [...mapped].filter((path) => theirs(basename(path)) && own(path));
}

/** Passes on what the library says; answers with a list that always has its last warnings. */
function listen(child: ChildProcess, file: string): readonly string[] {
  const lastWords: string[] = [];
  const prefix = `${basename(process.execPath)}: `;
  readLines(child.stdout, (text) => publish({ level: "log", text, file }));
  readLines(child.stderr, (line) => {
    const text = line.startsWith(prefix) ? line.slice(prefix.length) : line;
    if (lastWords.push(text) > LAST_WORDS) lastWords.shift();
    publish({ level: "warning", text, file });
  });
  return lastWords;
}

/** The library's errors are terse: what it warned of before says more, to the app; not to clients. */
function explained(error: unknown, lastWords: readonly string[]): unknown {
  if (!DiskError.is(error) || error.cause !== undefined || lastWords.length === 0) return error;
  return new DiskError(error.code, error.message, { cause: new Error(`the library's last warnings: ${lastWords.join(" | ")}`) });
}
