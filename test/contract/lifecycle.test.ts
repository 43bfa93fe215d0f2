import { describe, expect, test, vi } from "vitest";
import { release, retain, type StartContext } from "../../src/contract/index.ts";
import { deferred } from "../fixtures/deferred.ts";
import { warning } from "../fixtures/warning.ts";
import { over, pluginOf, turn } from "./fixtures.ts";

const connection = over(new Uint8Array(512));

describe("starting", () => {
  test("happens once, for the first user; the others wait for it", async () => {
    const started = deferred();
    const start = vi.fn(() => started.promise);
    const plugin = pluginOf(connection, { start });
    const users = [retain(plugin), retain(plugin)];
    let ready = 0;
    for (const user of users) void user.then(() => (ready += 1));
    await turn();
    expect(start).toHaveBeenCalledOnce();
    expect(ready).toBe(0);
    started.resolve();
    await Promise.all(users);
    await retain(plugin);
    expect(start).toHaveBeenCalledOnce();
  });

  test("that fails, fails for all who wait, is nobody's use, and can be tried again", async () => {
    let attempts = 0;
    const close = vi.fn();
    const signals: AbortSignal[] = [];
    const plugin = pluginOf(connection, {
      close,
      async start({ signal }: StartContext) {
        signals.push(signal);
        attempts += 1;
        if (attempts === 1) throw new Error("no route to host");
      },
    });
    const users = await Promise.allSettled([retain(plugin), retain(plugin)]);
    expect(users.map((user) => user.status)).toEqual(["rejected", "rejected"]);
    expect(signals[0]?.aborted).toBe(true);
    await retain(plugin);
    expect(attempts).toBe(2);
    expect(signals[1]?.aborted).toBe(false);
    expect(close).not.toHaveBeenCalled();
    await release(plugin);
    expect(close).toHaveBeenCalledOnce();
  });

  test("is not needed, and may throw at once", async () => {
    const plugin = pluginOf(connection);
    await retain(plugin);
    await release(plugin);
    const throwing = pluginOf(connection, {
      start: () => {
        throw new Error("no");
      },
    });
    await expect(retain(throwing)).rejects.toThrow("no");
  });
});

describe("giving up on a plugin that is starting", () => {
  /** A plugin whose starts the test settles, and what has been done to it. */
  function slow(close: () => Promise<void> = () => Promise.resolve()) {
    const starts = [deferred(), deferred()] as const;
    const order: string[] = [];
    const plugin = pluginOf(connection, {
      start({ signal }: StartContext) {
        const number = order.filter((what) => what === "start").length;
        order.push("start");
        signal.addEventListener("abort", () => order.push("aborted"));
        return starts[number === 0 ? 0 : 1].promise;
      },
      close() {
        order.push("close");
        return close();
      },
    });
    return { plugin, starts, order };
  }

  test("leaves it to the others who wait", async () => {
    const { plugin, starts, order } = slow();
    const controller = new AbortController();
    const impatient = retain(plugin, undefined, controller.signal);
    const patient = retain(plugin);
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    starts[0].resolve();
    await patient;
    expect(order).toEqual(["start"]);
    await release(plugin);
    expect(order).toEqual(["start", "aborted", "close"]);
  });

  test("takes back the wish to be asked to close", async () => {
    let ask: (() => void) | undefined;
    const started = deferred();
    const plugin = pluginOf(connection, {
      async start({ shutdown }) {
        ask = shutdown;
        await started.promise;
      },
    });
    const [one, other] = [vi.fn(), vi.fn()];
    const controller = new AbortController();
    const impatient = retain(plugin, one, controller.signal);
    const patient = retain(plugin, other);
    await turn();
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    started.resolve();
    await patient;
    ask?.();
    expect(one).not.toHaveBeenCalled();
    expect(other).toHaveBeenCalledOnce();
    await release(plugin, other);
  });

  test("has the next start wait until it has started and closed", async () => {
    const { plugin, starts, order } = slow();
    const controller = new AbortController();
    const impatient = retain(plugin, undefined, controller.signal);
    await turn();
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    const again = retain(plugin);
    await turn();
    expect(order).toEqual(["start", "aborted"]);
    starts[0].resolve();
    starts[1].resolve();
    await again;
    expect(order).toEqual(["start", "aborted", "close", "start"]);
    await release(plugin);
  });

  test("does not close what fails to start", async () => {
    const { plugin, starts, order } = slow();
    const controller = new AbortController();
    const impatient = retain(plugin, undefined, controller.signal);
    await turn();
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    starts[0].reject(new Error("no route to host"));
    await turn();
    expect(order).toEqual(["start", "aborted"]);
  });

  test("starts nothing when that was still waiting for the last use to close", async () => {
    const closing = deferred();
    const { plugin, starts, order } = slow(() => closing.promise);
    starts[0].resolve();
    await retain(plugin);
    const released = release(plugin);
    const controller = new AbortController();
    const impatient = retain(plugin, undefined, controller.signal);
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    closing.resolve();
    await released;
    await turn();
    expect(order).toEqual(["start", "aborted", "close"]);
  });

  test("is warned of what fails in closing it", async () => {
    const { plugin, starts } = slow(() => Promise.reject(new Error("not saved")));
    const controller = new AbortController();
    const impatient = retain(plugin, undefined, controller.signal);
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    const { warned } = await warning(async () => {
      starts[0].resolve();
      await turn();
      return {};
    });
    expect(warned).toEqual(["diskwright: closing a plugin that started too late failed: not saved"]);
  });
});

describe("closing", () => {
  test("happens once, when the last user is done, after the signal of start() was aborted", async () => {
    const order: string[] = [];
    const plugin = pluginOf(connection, {
      start: ({ signal }) => signal.addEventListener("abort", () => order.push("aborted")),
      close: () => void order.push("closed"),
    });
    await retain(plugin);
    await retain(plugin);
    await release(plugin);
    expect(order).toEqual([]);
    await release(plugin);
    expect(order).toEqual(["aborted", "closed"]);
  });

  test("by one who does not use it does nothing", async () => {
    const close = vi.fn();
    await release(pluginOf(connection, { close }));
    expect(close).not.toHaveBeenCalled();
  });

  test("that fails is the last user's to hear, and does not keep the plugin from being used again", async () => {
    const start = vi.fn();
    const plugin = pluginOf(connection, { start, close: () => Promise.reject(new Error("not saved")) });
    await retain(plugin);
    await expect(release(plugin)).rejects.toThrow("not saved");
    await retain(plugin);
    expect(start).toHaveBeenCalledTimes(2);
    await expect(release(plugin)).rejects.toThrow("not saved");
  });

  test("is waited for by those who want to start it again", async () => {
    const order: string[] = [];
    const closing = deferred();
    const plugin = pluginOf(connection, {
      start: () => void order.push("start"),
      close: async () => {
        order.push("close begins");
        await closing.promise;
        order.push("close ends");
      },
    });
    await retain(plugin);
    const released = release(plugin);
    const again = retain(plugin);
    await turn();
    expect(order).toEqual(["start", "close begins"]);
    closing.resolve();
    await Promise.all([released, again]);
    expect(order).toEqual(["start", "close begins", "close ends", "start"]);
    await release(plugin);
  });

  test("that fails does not keep those who wait from starting it again", async () => {
    const closing = deferred();
    const start = vi.fn();
    const plugin = pluginOf(connection, { start, close: () => closing.promise });
    await retain(plugin);
    const released = release(plugin);
    const again = retain(plugin);
    closing.reject(new Error("not saved"));
    await expect(released).rejects.toThrow("not saved");
    await again;
    expect(start).toHaveBeenCalledTimes(2);
  });
});

test("one plugin does not know of another", async () => {
  const close = vi.fn();
  const a = pluginOf(connection, { close });
  const b = pluginOf(connection, { close });
  await retain(a);
  await retain(b);
  await release(a);
  expect(close).toHaveBeenCalledOnce();
  await release(b);
});
