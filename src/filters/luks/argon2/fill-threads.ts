// Filling Argon2's memory in threads, so that the event loop goes on and all processors help.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { DiskError } from "../../../contract/error.ts";
import { type WasmMemoryObject, webAssembly } from "../web-assembly.ts";
import { fillBytes } from "./fill-kernel.ts";

/** A function of the module, and its arguments. */
export type Job = readonly [name: "segment" | "wipe", ...args: readonly number[]];

// Text, as a file of its own would have to be found by every bundler. It does nothing but call what it is told to.
const WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
const { exports } = new WebAssembly.Instance(workerData.module, { env: { memory: workerData.memory } });
parentPort.on("message", (jobs) => {
  for (const [name, ...args] of jobs) exports[name](...args);
  parentPort.postMessage(undefined);
});
`;

const PAGE = 65_536;

/** A memory and the threads that work on it. */
export class FillThreads {
  readonly memory: Uint8Array;
  readonly #workers: readonly Worker[];

  /**
   * @param size - bytes of the memory
   * @param threads - how many are of use
   * @throws DiskError ENOMEM when there is no such memory
   */
  constructor(size: number, threads: number) {
    const pages = Math.ceil(size / PAGE);
    const { Module, Memory } = webAssembly();
    let memory: WasmMemoryObject;
    try {
      memory = new Memory({ initial: pages, maximum: pages, shared: true });
    } catch (error) {
      throw new DiskError("ENOMEM", `luks: there are no ${Math.ceil(size / 2 ** 20)} MiB of memory to derive the key with`, {
        cause: error,
      });
    }
    this.memory = new Uint8Array(memory.buffer);
    const workerData = { module: new Module(fillBytes(pages)), memory };
    const count = Math.min(threads, availableParallelism());
    // Without the options of this process: a loader or a debugger has nothing to do in there.
    this.#workers = Array.from({ length: count }, () => new Worker(WORKER, { eval: true, execArgv: [], workerData }));
    // Failures are told by whatever waits for the thread.
    for (const worker of this.#workers) worker.on("error", () => undefined);
  }

  /** Does all of the jobs, shared out among the threads; fails when the signal is aborted. */
  async run(jobs: readonly Job[], signal: AbortSignal | undefined): Promise<void> {
    const count = this.#workers.length;
    await Promise.all(
      this.#workers.map((worker, index) => {
        const own = jobs.filter((_, job) => job % count === index);
        return own.length === 0 ? undefined : answer(worker, own, signal);
      }),
    );
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function answer(worker: Worker, jobs: readonly Job[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      worker.off("message", done).off("error", failed).off("exit", exited);
      signal?.removeEventListener("abort", aborted);
      then();
    };
    const done = (): void => settle(resolve);
    const failed = (error: unknown): void => settle(() => reject(error));
    const exited = (): void => failed(new DiskError("EIO", "luks: a thread that derives the key ended early"));
    const aborted = (): void => failed(signal?.reason);
    worker.once("message", done).once("error", failed).once("exit", exited);
    signal?.addEventListener("abort", aborted, { once: true });
    if (signal?.aborted) aborted();
    else worker.postMessage(jobs);
  });
}
