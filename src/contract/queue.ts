// One request at a time, for plugins that cannot work on several at once. A queue, not a thread model.

import { type Awaitable, isPromise } from "./awaitable.ts";
import type { Overrides } from "./filter.ts";
import type { Concurrency, Plugin } from "./plugin.ts";

/** Runs calls one after the other: at once when nothing is under way, so that synchronous plugins stay synchronous. */
export class Queue {
  #busy = false;
  readonly #waiting: (() => void)[] = [];

  run<T>(call: () => Awaitable<T>): Awaitable<T> {
    if (this.#busy) return this.#later(call);
    this.#busy = true;
    let answer: Awaitable<T>;
    try {
      answer = call();
    } catch (error) {
      this.#next();
      throw error;
    }
    if (!isPromise(answer)) {
      this.#next();
      return answer;
    }
    return this.#settle(answer);
  }

  async #later<T>(call: () => Awaitable<T>): Promise<T> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await call();
    } finally {
      this.#next();
    }
  }

  async #settle<T>(answer: PromiseLike<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      this.#next();
    }
  }

  #next(): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#busy = false;
    else resolve();
  }
}

const queues = new WeakMap<Plugin, Queue>();

/** The queue that a new connection of `plugin` has to go through, if any. */
export function queueFor(plugin: Plugin): Queue | undefined {
  switch (plugin.concurrency ?? "parallel") {
    case "parallel":
      return undefined;
    case "connection":
      return new Queue();
    case "plugin": {
      const queue = queues.get(plugin) ?? new Queue();
      queues.set(plugin, queue);
      return queue;
    }
    default:
      throw new TypeError(`plugin ${plugin.name}: concurrency ${String(plugin.concurrency)}: expected parallel, connection or plugin`);
  }
}

const order: readonly Concurrency[] = ["parallel", "connection", "plugin"];

/** The stricter of two. */
export function strictest(a: Concurrency = "parallel", b: Concurrency = "parallel"): Concurrency {
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

const requests = ["read", "write", "flush", "trim", "zero", "extents", "cache"] as const;

/** The same connection, or part of one, with its requests going through a queue. */
export function queued<T extends Overrides>(connection: T, queue: Queue): T {
  const wrapped: Record<string, unknown> = {};
  for (const key in connection) {
    const value = connection[key] as unknown;
    wrapped[key] = typeof value === "function" ? value.bind(connection) : value;
  }
  for (const key of requests) {
    const method = connection[key] as ((...parameters: unknown[]) => Awaitable<unknown>) | undefined;
    if (method !== undefined) wrapped[key] = (...parameters: unknown[]) => queue.run(() => method.apply(connection, parameters));
  }
  return wrapped as T;
}
