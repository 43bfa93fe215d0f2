// Threads that decode blocks, so that several are decoded at once and the event loop goes on meanwhile.

import { Worker } from "node:worker_threads";
import type { BlockFacts } from "./block.ts";

/** What a thread is sent. */
export interface Job {
  readonly block: Uint8Array;
  readonly facts: BlockFacts;
  /** Four bytes, shared: not 0 once nobody wants the answer any more. */
  readonly cancelled: SharedArrayBuffer;
}

/** What it answers. */
export type Answer = { readonly content: ArrayBuffer } | { readonly message: string; readonly damaged: boolean };

/** A block that cannot be decoded: its data are not what they should be. */
export class DamagedError extends Error {}

interface Waiting {
  readonly job: Job;
  resolve(content: Uint8Array): void;
  reject(error: unknown): void;
}

/** Decodes blocks in threads, which are started as they are needed and never keep the process alive when nothing is under way. */
export class Pool {
  readonly threads: number;
  readonly #idle: Worker[] = [];
  readonly #busy: Map<Worker, Waiting> = new Map();
  readonly #waiting: Waiting[] = [];
  #closed = false;

  constructor(threads: number) {
    this.threads = threads;
  }

  /** Whether a block would be decoded at once. */
  get free(): boolean {
    return this.#waiting.length === 0 && this.#busy.size < this.threads;
  }

  /**
   * Decodes a block. Its bytes go to the thread and are not here any more afterwards.
   *
   * @param signal - aborted when nobody wants the content any more
   * @throws DamagedError when it cannot be decoded
   */
  decode(block: Uint8Array<ArrayBuffer>, facts: BlockFacts, signal: AbortSignal): Promise<Uint8Array> {
    const cancelled = new SharedArrayBuffer(4);
    return new Promise<Uint8Array>((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#closed) throw new Error("the threads that decode have been closed");
      const waiting: Waiting = { job: { block, facts, cancelled }, resolve, reject };
      const abort = (): void => {
        Atomics.store(new Int32Array(cancelled), 0, 1);
        const index = this.#waiting.indexOf(waiting);
        if (index !== -1) this.#waiting.splice(index, 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      const forget = (): void => signal.removeEventListener("abort", abort);
      waiting.resolve = (content) => {
        forget();
        resolve(content);
      };
      waiting.reject = (error) => {
        forget();
        reject(error);
      };
      this.#waiting.push(waiting);
      this.#next();
    });
  }

  /** Ends the threads; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new Error("the threads that decode have been closed");
    for (const waiting of [...this.#waiting.splice(0), ...this.#busy.values()]) waiting.reject(error);
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()];
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#busy.size === this.threads) return;
    const worker = this.#idle.pop() ?? this.#start();
    const waiting = this.#waiting.shift() as Waiting;
    this.#busy.set(worker, waiting);
    worker.ref();
    worker.postMessage(waiting.job, [waiting.job.block.buffer as ArrayBuffer]);
  }

  #start(): Worker {
    // Spelled so that bundlers see it.
    const worker = new Worker(new URL("./worker.js", import.meta.url));
    let failure: unknown;
    worker.on("message", (answer: Answer) => {
      const waiting = this.#busy.get(worker);
      this.#busy.delete(worker);
      worker.unref();
      if (!this.#closed) this.#idle.push(worker);
      if ("content" in answer) waiting?.resolve(new Uint8Array(answer.content));
      else waiting?.reject(answer.damaged ? new DamagedError(answer.message) : new Error(answer.message));
      this.#next();
    });
    worker.on("error", (error) => {
      failure = error;
    });
    // A thread ends by itself only when something is wrong: its memory is used up. The next block gets a new one.
    worker.on("exit", (code) => {
      const waiting = this.#busy.get(worker);
      this.#busy.delete(worker);
      const index = this.#idle.indexOf(worker);
      if (index !== -1) this.#idle.splice(index, 1);
      waiting?.reject(new Error(`the thread that decoded a block ended with ${code}`, { cause: failure }));
      if (!this.#closed) this.#next();
    });
    return worker;
  }
}
