// One request at a time, for plugins that cannot work on several at once. A queue, not a thread model.

import { type Awaitable, isPromise } from "./awaitable.ts";
import type { Connection } from "./connection.ts";
import type { Concurrency } from "./plugin.ts";

/** Any request of a connection: none takes more than three arguments. */
type Method<T, A, B, C> = (a: A, b: B, c: C) => Awaitable<T>;

/** Runs calls one after the other: at once when nothing is under way, so that synchronous plugins stay synchronous. */
export class Queue {
  #busy = false;
  readonly #waiting: (() => void)[] = [];

  /** Whether a call is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Calls `method` with `self` as its `this` when its turn comes. Spelled out arguments, so that a call at once needs no closure. */
  run<T, A, B, C>(method: Method<T, A, B, C>, self: unknown, a: A, b: B, c: C): Awaitable<T> {
    if (this.#busy) return this.#later(() => method.call(self, a, b, c));
    this.#busy = true;
    let answer: Awaitable<T>;
    try {
      answer = method.call(self, a, b, c);
    } catch (error) {
      this.#next();
      throw error;
    }
    if (isPromise(answer)) return this.#settle(answer);
    this.#next();
    return answer;
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

  /** Gives the turn to the next in line; the queue stays busy until there is none. */
  #next(): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#busy = false;
    else resolve();
  }
}

/** Who has a say in how many requests may be under way: a plugin, or the part of a filter that is its own. */
export interface QueueOwner {
  readonly name: string;
  readonly concurrency?: Concurrency | undefined;
}

const shared = new WeakMap<QueueOwner, Queue>();

/** The queue that a new connection of `owner` has to go through, if any. */
export function queueFor(owner: QueueOwner): Queue | undefined {
  switch (checkConcurrency(owner)) {
    case "parallel":
      return undefined;
    case "connection":
      return new Queue();
    case "plugin": {
      const queue = shared.get(owner) ?? new Queue();
      shared.set(owner, queue);
      return queue;
    }
  }
}

const order: readonly Concurrency[] = ["parallel", "connection", "plugin"];

/** The stricter of two. */
export function strictest(a: Concurrency = "parallel", b: Concurrency = "parallel"): Concurrency {
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

/** The concurrency of `owner`; throws a TypeError when it is not one. */
export function checkConcurrency({ name, concurrency = "parallel" }: QueueOwner): Concurrency {
  if (order.includes(concurrency)) return concurrency;
  throw new TypeError(`${name}: concurrency ${String(concurrency)}: expected parallel, connection or plugin`);
}

const requests = ["read", "write", "flush", "trim", "zero", "extents", "cache"] as const;

/** What of a {@link Connection} goes through a queue: its requests, what it lends and its contexts. */
export type Queued = { readonly [K in (typeof requests)[number] | "views" | "contexts"]?: Connection[K] | undefined };

/** The queued form of a connection, or of the part of one that a filter overrides. */
export function queued<T extends Queued>(connection: T, queue: Queue): Pick<T, keyof T & keyof Queued> {
  const through: Record<string, unknown> = {};
  for (const key of requests) {
    const method = connection[key] as Method<unknown, unknown, unknown, unknown> | undefined;
    if (method !== undefined) through[key] = (a: unknown, b: unknown, c: unknown) => queue.run(method, connection, a, b, c);
  }
  const { views, contexts } = connection;
  // Lending answers at once and so cannot wait: while another request is under way nothing is lent, and the caller reads instead.
  if (views !== undefined)
    through.views = (offset: bigint, length: number) => (queue.busy ? undefined : views.call(connection, offset, length));
  if (contexts !== undefined) {
    through.contexts = contexts.map((context) => ({
      name: context.name,
      extents: (a: unknown, b: unknown, c: unknown) =>
        queue.run(context.extents as Method<unknown, unknown, unknown, unknown>, context, a, b, c),
    }));
  }
  return through as Pick<T, keyof T & keyof Queued>;
}
