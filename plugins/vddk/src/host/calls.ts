// Jobs under way in a thread or process: who waits for which answer, and for how long.

import { DiskError } from "diskwright";
import { failed } from "../errors.ts";
import type { Answer, Job, Message } from "../jobs.ts";

interface Waiting {
  readonly op: Job["op"];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Milliseconds that a thread or process may take to start, however little time a job has: a machine may be busy. */
const START = 60_000;

/** How jobs get there, and what to do with one who does not answer. */
export interface CallOptions {
  post(message: Message): void;
  /** Milliseconds that a job may take, once those before it are done. */
  readonly timeout: number;
  /** Called when it took longer; all that was asked has failed by then. */
  giveUp(): void;
}

/** The jobs of one thread or process, which does them one after the other. */
export class Calls {
  readonly #options: CallOptions;
  readonly #waiting: Map<number, Waiting> = new Map();
  #next = 1;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  /** Why no more can be asked, if so. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Asks for a job. */
  call(job: Job): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      const id = this.#next;
      this.#next += 1;
      this.#waiting.set(id, { op: job.op, resolve, reject });
      if (this.#waiting.size === 1) this.#watch();
      this.#options.post({ id, job });
    });
  }

  /** Hands out an answer. */
  answer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    this.#watch();
    if ("failure" in answer) waiting.reject(failed(answer.failure));
    else waiting.resolve(answer.value);
  }

  /** Fails all that is under way, and all that is asked from now on. */
  fail(error: Error): void {
    this.#failure ??= error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#watch();
    for (const { reject } of waiting) reject(this.#failure);
  }

  /** What the thread or process is doing now. */
  get current(): Job["op"] | undefined {
    return this.#waiting.values().next().value?.op;
  }

  /** The time begins for the job that is done now. */
  #watch(): void {
    clearTimeout(this.#timer);
    const { current } = this;
    if (current === undefined) return;
    const timeout = current === "load" ? Math.max(START, this.#options.timeout) : this.#options.timeout;
    this.#timer = setTimeout(() => this.#late(timeout), timeout);
  }

  #late(timeout: number): void {
    this.fail(new DiskError("ETIMEDOUT", `the VDDK library did not ${this.current} within ${timeout} ms: it was given up`));
    this.#options.giveUp();
  }
}
