// The library in threads of this process: one that opens and closes all disks, and one for each disk that reads and writes.

import { Worker } from "node:worker_threads";
import { DiskError } from "diskwright";
import type { Answer, OpenedDisk, OpenSpec } from "../jobs.ts";
import type { WorkerSetup } from "../worker.ts";
import { Calls } from "./calls.ts";
import type { HostOptions, OpenHost } from "./host.ts";
import { threadMemory } from "./memory.ts";

/** A thread, and what it is asked. */
interface Thread {
  readonly calls: Calls;
  end(): Promise<void>;
}

/** A library that is loaded in this process, which is done once and cannot be undone. */
interface Loaded {
  readonly thread: Thread;
  readonly config: string | null;
  readonly ready: Promise<unknown>;
}

// By file, and of the process rather than of a server: so is the library's own state.
const loaded = new Map<string, Loaded>();

/** Opens a disk in this process. */
export async function openInThreads(options: HostOptions, spec: OpenSpec): Promise<OpenHost> {
  const { located, timeout, signal } = options;
  const opener = await load(options);
  signal.throwIfAborted();
  const disk = (await opener.calls.call({ op: "open", spec })) as OpenedDisk;
  const memory = threadMemory();
  const worker = startThread({ located, memory: memory.buffer }, timeout);
  let closed: Promise<unknown> | undefined;
  const close = async (): Promise<void> => {
    await worker.end();
    // A disk that the library hangs in cannot be closed: that could only hang too.
    if (worker.calls.failure !== undefined) return;
    closed ??= opener.calls.call({ op: "close", disk });
    await closed;
  };
  try {
    await worker.calls.call({ op: "load" });
    signal.throwIfAborted();
  } catch (error) {
    await close();
    throw error;
  }
  return { disk, memory, call: (job) => worker.calls.call(job), close };
}

async function load({ located, config, timeout }: HostOptions): Promise<Thread> {
  let library = loaded.get(located.file);
  if (library === undefined) {
    const thread = startThread({ located }, timeout);
    const ready = thread.calls.call({ op: "load" }).then(() => thread.calls.call({ op: "init", libdir: located.libdir, config }));
    library = { thread, config, ready };
    loaded.set(located.file, library);
  }
  const { thread, ready } = library;
  if (library.config !== config) {
    const text = `this process has the VDDK library with config ${library.config ?? "(none)"} already, and it is read once: use isolated`;
    throw new DiskError("EINVAL", text);
  }
  const { failure } = thread.calls;
  if (failure !== undefined) {
    throw new DiskError(
      "EIO",
      `the VDDK library of this process cannot be used any more (${failure.message}): restart it, or use isolated`,
    );
  }
  try {
    await ready;
  } catch (error) {
    // It may be another one, or be mended, when it is tried again; one that hangs stays.
    if (thread.calls.failure === undefined && loaded.get(located.file) === library) {
      loaded.delete(located.file);
      await thread.end();
    }
    throw error;
  }
  return thread;
}

function startThread(setup: WorkerSetup, timeout: number): Thread {
  // Spelled so that bundlers see it.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: setup, execArgv: [] });
  let busy = 0;
  const calls = new Calls({
    post: (message) => {
      busy += 1;
      worker.ref();
      worker.postMessage(message);
    },
    timeout,
    // A thread that is in a function of the library cannot be ended.
    giveUp: () => worker.unref(),
  });
  // Threads that nobody waits for do not keep the process.
  worker.unref();
  worker.on("message", (answer: Answer) => {
    busy -= 1;
    if (busy === 0) worker.unref();
    calls.answer(answer);
  });
  worker.on("error", (error: Error) => calls.fail(new DiskError("EIO", `the thread of the VDDK library ended: ${error.message}`)));
  worker.on("exit", () => calls.fail(new DiskError("ESHUTDOWN", "the thread of the VDDK library has ended")));
  return {
    calls,
    async end() {
      if (calls.failure !== undefined) return;
      worker.removeAllListeners("exit");
      await worker.terminate();
    },
  };
}
