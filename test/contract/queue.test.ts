import { describe, expect, test, vi } from "vitest";
import type { Awaitable, Concurrency, Connection } from "../../src/contract/index.ts";
import { complete, filter, openDisk, type Plugin, pipe } from "../../src/contract/index.ts";
import { Queue, queued, queueFor, strictest } from "../../src/contract/queue.ts";
import { deferred } from "../fixtures/deferred.ts";
import { over, pluginOf, turn } from "./fixtures.ts";

describe("a queue", () => {
  const run = <T>(queue: Queue, call: () => Awaitable<T>) => queue.run(call, undefined, undefined, undefined, undefined);

  test("answers at once when nothing is under way", () => {
    const queue = new Queue();
    expect(run(queue, () => 5)).toBe(5);
    expect(queue.busy).toBe(false);
  });

  test("passes on this and the arguments, now and later", async () => {
    const queue = new Queue();
    const self = { name: "self" };
    const method = function (this: unknown, ...args: unknown[]): unknown[] {
      return [this, ...args];
    };
    expect(queue.run(method, self, 1, 2, 3)).toEqual([self, 1, 2, 3]);
    const first = deferred();
    const busy = run(queue, () => first.promise);
    const later = queue.run(method, self, 1, 2, 3);
    first.resolve();
    await busy;
    expect(await later).toEqual([self, 1, 2, 3]);
  });

  test("runs one call after the other, in the order they came", async () => {
    const queue = new Queue();
    const gates = [deferred(), deferred(), deferred()];
    const order: string[] = [];
    const calls = gates.map((gate, i) =>
      run(queue, async () => {
        order.push(`${i} begins`);
        await gate.promise;
        order.push(`${i} ends`);
      }),
    );
    for (const gate of gates.toReversed()) gate.resolve();
    await Promise.all(calls);
    expect(order).toEqual([0, 1, 2].flatMap((i) => [`${i} begins`, `${i} ends`]));
    expect(queue.busy).toBe(false);
  });

  test("is released by what fails, at once, later or in its turn", async () => {
    const queue = new Queue();
    const throwing = () => {
      throw new Error("no");
    };
    expect(() => run(queue, throwing)).toThrow("no");
    const rejecting = run(queue, () => Promise.reject(new Error("no")));
    const throwingInTurn = run(queue, throwing);
    const after = run(queue, () => 5);
    await expect(rejecting).rejects.toThrow("no");
    await expect(throwingInTurn).rejects.toThrow("no");
    expect(await after).toBe(5);
    expect(queue.busy).toBe(false);
  });

  test("is synchronous again once it has emptied", async () => {
    const queue = new Queue();
    await Promise.all([run(queue, async () => undefined), run(queue, () => undefined)]);
    expect(run(queue, () => 5)).toBe(5);
  });
});

describe("queued()", () => {
  test("keeps this for methods of a class, with its private fields", () => {
    class Source implements Connection {
      readonly size = 512n;
      readonly #fill = 7;
      read(target: Uint8Array): void {
        target.fill(this.#fill);
      }
    }
    const target = new Uint8Array(4);
    const connection: Connection = new Source();
    queued(connection, new Queue()).read(target, 0n);
    expect(target).toEqual(new Uint8Array(4).fill(7));
  });

  test("lends nothing while a request is under way, as lending cannot wait", async () => {
    const reading = deferred();
    const bytes = new Uint8Array(512);
    const disk = complete(over(bytes, { read: () => reading.promise, views: () => [bytes] }), { queue: new Queue() });
    expect(disk.views?.(0n, 512)).toEqual([bytes]);
    const read = disk.read(new Uint8Array(1), 0n);
    expect(disk.views?.(0n, 512)).toBeUndefined();
    reading.resolve();
    await read;
    expect(disk.views?.(0n, 512)).toEqual([bytes]);
  });
});

describe("how many requests are under way at once", () => {
  /** The most that two disks of one plugin, used at the same time, had under way. */
  async function most(
    concurrency: Concurrency | undefined,
    wrap: (plugin: Plugin) => Plugin = (plugin) => plugin,
  ): Promise<[number, number]> {
    const now = [0, 0];
    const peaks: [number, number] = [0, 0];
    let opened = 0;
    const open = (): Connection => {
      const mine = opened++;
      const work = async (): Promise<void> => {
        now[mine] = (now[mine] ?? 0) + 1;
        peaks[0] = Math.max(peaks[0], now[mine] ?? 0);
        peaks[1] = Math.max(peaks[1], (now[0] ?? 0) + (now[1] ?? 0));
        await turn();
        now[mine] = (now[mine] ?? 0) - 1;
      };
      return { size: 512n, read: work, write: work };
    };
    const plugin = wrap(pluginOf(open, concurrency === undefined ? {} : { concurrency }));
    const disks = [await openDisk(plugin), await openDisk(plugin)];
    await Promise.all(
      disks.flatMap((disk) => [0, 1, 2].flatMap(() => [disk.read(new Uint8Array(1), 0n), disk.write(new Uint8Array(1), 0n)])),
    );
    for (const disk of disks) await disk.close();
    return peaks;
  }

  test("parallel, the default: any number", async () => {
    expect(await most(undefined)).toEqual([6, 12]);
    expect(await most("parallel")).toEqual([6, 12]);
  });

  test("connection: one for each", async () => {
    expect(await most("connection")).toEqual([1, 2]);
  });

  test("plugin: one in all", async () => {
    expect(await most("plugin")).toEqual([1, 1]);
  });

  test("the same seen through filters, also several over one plugin", async () => {
    const passThrough = filter("pass", () => ({}));
    expect(await most("plugin", (plugin) => pipe(plugin, passThrough))).toEqual([1, 1]);
    expect(await most("connection", (plugin) => pipe(plugin, passThrough, passThrough))).toEqual([1, 2]);
  });

  test("a filter's own concurrency holds for what it overrides, and not below", async () => {
    let busy = 0;
    let peak = 0;
    const slow = filter(
      "slow",
      () => ({
        async read() {
          peak = Math.max(peak, ++busy);
          await turn();
          busy -= 1;
        },
      }),
      { concurrency: "plugin" },
    );
    const plugin = pipe(pluginOf(over(new Uint8Array(512), { write: async () => turn() })), slow);
    const disks = [await openDisk(plugin), await openDisk(plugin)];
    await Promise.all(disks.flatMap((disk) => [disk.read(new Uint8Array(1), 0n), disk.read(new Uint8Array(1), 0n)]));
    expect(peak).toBe(1);
    for (const disk of disks) await disk.close();
  });

  test("a plugin's queue is shared by its connections alone", () => {
    const plugin = pluginOf(over(new Uint8Array()), { concurrency: "plugin" });
    expect(queueFor(plugin)).toBe(queueFor(plugin));
    expect(queueFor(pluginOf(over(new Uint8Array()), { concurrency: "plugin" }))).not.toBe(queueFor(plugin));
    const each = { name: "each", concurrency: "connection" } as const;
    expect(queueFor(each)).not.toBe(queueFor(each));
    expect(queueFor({ name: "free" })).toBeUndefined();
  });

  test("in a stack the strictest is the whole stack's", () => {
    const words: Concurrency[] = ["parallel", "connection", "plugin"];
    for (const [i, a] of words.entries()) for (const [j, b] of words.entries()) expect(strictest(a, b)).toBe(words[Math.max(i, j)]);
    expect(strictest(undefined, undefined)).toBe("parallel");
    const of = (own: Concurrency | undefined, below: Concurrency) =>
      filter("f", () => ({}), own === undefined ? {} : { concurrency: own })(pluginOf(over(new Uint8Array()), { concurrency: below }))
        .concurrency;
    expect(of(undefined, "connection")).toBe("connection");
    expect(of("plugin", "connection")).toBe("plugin");
    expect(of("connection", "plugin")).toBe("plugin");
  });

  test("a plugin may know it only once it has started: whoever asks the stack then is told", async () => {
    let known: Concurrency = "plugin";
    const plugin: Plugin = {
      name: "late",
      get concurrency() {
        return known;
      },
      start() {
        known = "connection";
      },
      open: () => over(new Uint8Array(512)),
    };
    const seen: (Concurrency | undefined)[] = [];
    const asking = filter("asking", () => ({}), { start: (next) => void seen.push(next.concurrency) });
    const stack = pipe(plugin, asking, asking);
    expect(stack.concurrency).toBe("plugin");
    await using _disk = await openDisk(stack);
    expect([...seen, stack.concurrency]).toEqual(["connection", "connection", "connection"]);
  });

  test("another word is refused when the stack is put together", async () => {
    const plugin = pluginOf(over(new Uint8Array()), { concurrency: "serial" as never });
    expect(() => pipe(plugin)).toThrow("fixture: concurrency serial: expected parallel, connection or plugin");
    await expect(openDisk(plugin)).rejects.toThrow("concurrency serial");
    expect(() => filter("f", () => ({}), { concurrency: "serial" as never })).toThrow("f: concurrency serial");
  });
});

test("a queued sync connection stays synchronous", () => {
  const read = vi.fn();
  const disk = complete(over(new Uint8Array(512), { read }), { queue: new Queue() });
  expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
  expect(read).toHaveBeenCalledOnce();
});
