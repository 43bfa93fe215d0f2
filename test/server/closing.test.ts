// close() is a drain with a deadline: what is under way is finished, nobody who idles holds it up, and what fails is thrown.

import type { Socket } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { type Connection, DiskError } from "../../src/contract/index.ts";
import type { OpenRequest, Plugin } from "../../src/contract/plugin.ts";
import { serve } from "../../src/server/index.ts";
import * as wire from "../client/wire.ts";
import { thrownBy, turn } from "../contract/fixtures.ts";
import { infoQuery, option, request } from "../fixtures/client-bytes.ts";
import { deferred } from "../fixtures/deferred.ts";
import { ram, slowToOpen } from "../fixtures/ram.ts";
import { connected, dialled, modes, type RawClient, serving } from "../fixtures/raw-client.ts";
import { strict } from "../fixtures/strict.ts";
import { warning } from "../fixtures/warning.ts";

const { GO } = wire;
const INFO = 6;
const ESHUTDOWN = 108;
const MiB = 1024 * 1024;
const SHUTDOWN_TEXT = "the server is shutting down";

/** How long something takes, in milliseconds. */
async function duration(perform: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await perform();
  return performance.now() - started;
}

/** A disk whose reads are answered when the test says so, and that may heed its abort signal. */
function held({ heeding = true }: { heeding?: boolean } = {}) {
  const asked = deferred();
  const mayFinish = deferred();
  let signal: AbortSignal | undefined;
  const plugin = strict({
    name: "held",
    open(request: OpenRequest): Connection {
      signal = request.signal;
      return {
        size: BigInt(MiB),
        read(target) {
          asked.resolve();
          return new Promise((resolve, reject) => {
            void mayFinish.promise.then(() => resolve(void target.fill(0x77)));
            if (heeding) request.signal.addEventListener("abort", () => reject(new DiskError("EIO", "interrupted")));
          });
        },
      };
    },
  });
  return { plugin, asked: asked.promise, finish: mayFinish.resolve, signal: () => signal as AbortSignal };
}

describe("clients that idle do not hold it up", () => {
  it.each(["connected", "greeted", "after INFO", "transmitting", "after DISC", "after ABORT"])("%s", async (state) => {
    const plugin = strict(ram(4096));
    const server = await serve(plugin, {});
    const clients = [await dialled(server), connected(server)];
    for (const client of clients) {
      if (state === "transmitting" || state === "after DISC") await client.negotiate();
      else if (state === "connected") await client.expect(wire.greeting());
      else await client.greet();
      if (state === "after INFO") await client.ask(INFO, infoQuery("x"));
      if (state === "after ABORT") await client.ask(wire.ABORT);
      // These do not hang up, as they should.
      if (state === "after DISC") await client.disconnect();
    }
    expect(await duration(() => server.close())).toBeLessThan(2000);
    for (const client of clients) await client.expectEnd();
    expect(server.connections).toBe(0);
    expect(plugin.violations).toEqual([]);
    expect(plugin.life.at(-1)).toBe("close");
  });

  it("while the plugin has not agreed to them", async () => {
    const server = await serving({ ...ram(1), preconnect: () => new Promise(() => undefined) }, { listen: true });
    const client = await dialled(server);
    while (server.connections === 0) await turn();
    expect(await duration(() => server.close())).toBeLessThan(2000);
    await client.expectEnd();
  });

  it("in the middle of an option or of a request", async () => {
    const server = await serving(ram(4096), { listen: true });
    const haggling = await dialled(server);
    await haggling.greet();
    haggling.send(option(wire.LIST, "", 100));
    const writing = await dialled(server);
    await writing.negotiate();
    writing.send(request({ type: wire.WRITE, length: 1000n }), Buffer.alloc(500));
    for (let i = 0; i < 10; i += 1) await turn();
    expect(await duration(() => server.close())).toBeLessThan(2000);
  });
});

describe.each(modes)("what is under way, with %s replies,", (mode) => {
  it("is finished; what is asked for meanwhile is answered ESHUTDOWN", async () => {
    const { plugin, asked, finish, signal } = held();
    const server = await serving(plugin);
    const client = connected(server);
    await client.negotiate({ mode });
    client.request({ type: wire.READ, length: 4n });
    await asked;
    const closed = server.close();
    client.request({ type: wire.FLUSH, cookie: 2n }, { type: wire.READ, cookie: 3n, length: 1n });
    client.write(0n, Buffer.alloc(10), { cookie: 4n });
    for (const cookie of [2n, 3n, 4n]) await client.expect(client.failed(ESHUTDOWN, SHUTDOWN_TEXT, cookie));
    expect(signal().aborted).toBe(false);
    finish();
    await client.expect(client.data(Buffer.from("wwww")));
    await client.expectEnd();
    await closed;
    expect(plugin.violations).toEqual([]);
    expect(plugin.life).toEqual(["start", "open ", "close ", "close"]);
  });

  it("is answered ESHUTDOWN at the deadline, and told to stop", async () => {
    const { plugin, asked, signal } = held();
    const server = await serving(plugin);
    const client = connected(server);
    await client.negotiate({ mode });
    client.request({ type: wire.READ, length: 4n }, { type: wire.READ, cookie: 2n, length: 5n });
    await asked;
    const closed = server.close({ deadline: 30 });
    await client.expect(client.failed(ESHUTDOWN, SHUTDOWN_TEXT), client.failed(ESHUTDOWN, SHUTDOWN_TEXT, 2n));
    await client.expectEnd();
    await closed;
    expect(signal().aborted).toBe(true);
    expect(plugin.violations).toEqual([]);
  });
});

describe("an option that is being worked on", () => {
  it("is answered ERR_SHUTDOWN, and the disk that was opened for it is closed", async () => {
    const slow = slowToOpen();
    const plugin = strict(slow.plugin);
    const server = await serving(plugin);
    const client = connected(server);
    await client.greet();
    const answer = client.refused(GO, infoQuery("x"));
    await slow.asked;
    const closed = server.close();
    slow.open();
    expect(await answer).toEqual([wire.SHUTDOWN, SHUTDOWN_TEXT]);
    await client.expectEnd();
    await closed;
    expect(plugin.life).toEqual(["start", "open x", "close x", "close"]);
    expect(plugin.violations).toEqual([]);
  });
});

describe("the deadline", () => {
  it("is kept though a client takes none of its replies", async () => {
    const server = await serving(ram(8 * MiB), { listen: true });
    const client = await dialled(server);
    await client.negotiate();
    client.stream.pause();
    client.send(...Array.from({ length: 8 }, (_, i) => request({ type: wire.READ, cookie: BigInt(i), length: BigInt(8 * MiB) })));
    for (let i = 0; i < 20; i += 1) await turn();
    // A second is left to clients for taking the last replies.
    expect(await duration(() => server.close({ deadline: 50 }))).toBeLessThan(3500);
  });

  it("is kept though a disk does not heed its signal, which is thrown", async () => {
    const { plugin, asked } = held({ heeding: false });
    const server = await serving(plugin);
    const client = connected(server);
    await client.negotiate({ exportName: "stubborn" });
    client.request({ type: wire.READ, length: 4n });
    await asked;
    const error = await thrownBy(() => server.close({ deadline: 20 }));
    expect(error).toMatchObject({ code: "ETIMEDOUT", message: 'export "stubborn": 1 requests did not end when told to' });
  });

  it("is kept though the client of such a disk left long ago", async () => {
    const { plugin, asked } = held({ heeding: false });
    const server = await serving(plugin);
    const client = connected(server);
    await client.negotiate();
    client.request({ type: wire.READ, length: 4n });
    await asked;
    client.stream.destroy();
    for (let i = 0; i < 10; i += 1) await turn();
    expect(server.connections).toBe(1);
    expect(await thrownBy(() => server.close({ deadline: 20 }))).toMatchObject({ code: "ETIMEDOUT" });
  });

  it("is kept though a disk never opens", async () => {
    const asked = deferred();
    const plugin: Plugin = {
      name: "never",
      open() {
        asked.resolve();
        return new Promise(() => undefined);
      },
    };
    const server = await serving(plugin);
    const client = connected(server);
    await client.greet();
    client.send(option(GO, infoQuery("x")));
    await asked.promise;
    expect(await thrownBy(() => server.close({ deadline: 20 }))).toMatchObject({ message: 'export "x": opening did not end when told to' });
  });

  it("may be 0: nothing is waited for", async () => {
    const { plugin, asked } = held();
    const server = await serving(plugin);
    const client = connected(server);
    await client.negotiate();
    client.request({ type: wire.READ, length: 4n });
    await asked;
    expect(await duration(() => server.close({ deadline: 0 }))).toBeLessThan(2000);
    await client.expect(client.failed(ESHUTDOWN, SHUTDOWN_TEXT));
  });

  it("may be Infinity", async () => {
    const { plugin, asked, finish } = held();
    const server = await serving(plugin);
    const client = connected(server);
    await client.negotiate();
    client.request({ type: wire.READ, length: 4n });
    await asked;
    const closed = server.close({ deadline: Number.POSITIVE_INFINITY });
    finish();
    await client.expect(client.data(Buffer.from("wwww")));
    await closed;
  });

  it.each([-1, Number.NaN, 2 ** 31, "5"])("must be one: %s", async (deadline) => {
    const server = await serving(ram(1));
    const text = `deadline ${deadline}: expected milliseconds from 0 to 2147483647, or Infinity`;
    await expect(server.close({ deadline: deadline as number })).rejects.toThrow(text);
    await connected(server).expect(wire.greeting());
  });
});

describe("what fails in closing is thrown", () => {
  const failing = (what: string) => () => Promise.reject(new Error(`${what} will not close`));

  it("by a client's disk", async () => {
    const server = await serving(ram(1, { close: failing("the disk") }));
    await connected(server).negotiate();
    await expect(server.close()).rejects.toThrow("the disk will not close");
  });

  it("by the plugin", async () => {
    const server = await serving({ ...ram(1), close: failing("the plugin") });
    await expect(server.close()).rejects.toThrow("the plugin will not close");
    await expect(server.closed).rejects.toThrow("the plugin will not close");
  });

  it("by several at once, all of them", async () => {
    const server = await serving({
      one: { ...ram(1, { close: failing("disk one") }), close: failing("plugin one") },
      two: { ...ram(1), close: failing("plugin two") },
    });
    await connected(server).negotiate({ exportName: "one" });
    const error = (await thrownBy(() => server.close())) as AggregateError;
    expect(error.message).toContain("disk one will not close");
    expect(error.message).toContain("plugin one will not close");
  });

  it("and everything else is closed all the same, and nobody is left with an unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", listen);
    const good = strict(ram(1));
    const server = await serve({ bad: ram(1, { close: failing("the disk") }), good }, {});
    for (const exportName of ["bad", "good"]) await (await dialled(server)).negotiate({ exportName });
    await connected(server).negotiate({ exportName: "bad" });
    await expect(server.close()).rejects.toThrow("the disk will not close");
    await turn();
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
    expect(good.life).toEqual(["start", "open good", "close good", "close"]);
  });
});

describe("close()", () => {
  it("called again answers as the first call does", async () => {
    let closes = 0;
    const server = await serving({
      ...ram(1),
      close() {
        closes += 1;
        throw new Error("once");
      },
    });
    const first = server.close();
    const second = server.close({ deadline: 0 });
    await expect(first).rejects.toThrow("once");
    await expect(second).rejects.toThrow("once");
    expect(closes).toBe(1);
  });

  it("is what `await using` does in the end", async () => {
    const plugin = strict(ram(1));
    {
      await using server = await serve(plugin, {});
      await (await dialled(server)).negotiate();
    }
    expect(plugin.life).toEqual(["start", "open ", "close ", "close"]);
  });

  it("is told by `closed`", async () => {
    const server = await serving(ram(1));
    let closed = false;
    void server.closed.then(() => {
      closed = true;
    });
    await turn();
    expect(closed).toBe(false);
    await server.close();
    expect(closed).toBe(true);
  });

  it.each(["a read", "a write"])("called from within %s sends no half-written reply", async (what) => {
    const client = await (async () => {
      const disk = ram(4096, {
        read(target) {
          if (what === "a read") void server.close();
          target.fill(0x55);
        },
        write() {
          if (what === "a write") void server.close();
        },
        views: undefined as never,
      });
      const server = await serving(disk);
      const connectedClient = connected(server);
      await connectedClient.negotiate();
      return connectedClient;
    })();
    client.send(
      request({ type: wire.WRITE, payload: Buffer.alloc(10) }),
      request({ type: wire.READ, cookie: 2n, length: 100n }),
      request({ type: wire.READ, cookie: 3n, length: 100n }),
    );
    const replies =
      what === "a write"
        ? [wire.simpleReply(1n), wire.simpleReply(2n, ESHUTDOWN), wire.simpleReply(3n, ESHUTDOWN)]
        : [wire.simpleReply(1n), wire.simpleReply(2n, 0, Buffer.alloc(100, 0x55)), wire.simpleReply(3n, ESHUTDOWN)];
    await client.expect(...replies);
    await client.expectEnd();
  });
});

describe("an AbortSignal", () => {
  it("closes the server", async () => {
    const controller = new AbortController();
    const plugin = strict(ram(1));
    const server = await serving(plugin, { listen: true, signal: controller.signal });
    const client = await dialled(server);
    await client.negotiate();
    controller.abort();
    await server.closed;
    await client.expectEnd();
    expect(plugin.life).toEqual(["start", "open ", "close ", "close"]);
  });

  it("that was aborted before has nothing started", async () => {
    const plugin = strict(ram(1));
    await expect(serve(plugin, { signal: AbortSignal.abort(new Error("changed my mind")) })).rejects.toThrow("changed my mind");
    expect(plugin.life).toEqual([]);
  });

  it.each([
    ["a plugin", (plugin: Plugin) => plugin],
    ["one of several", (plugin: Plugin) => ({ fast: ram(1), slow: plugin })],
  ])("that is aborted while %s starts is heeded at once, and what starts later is closed", async (_, source) => {
    const controller = new AbortController();
    const started = deferred();
    const plugin = strict({
      ...ram(1),
      start: () => {
        controller.abort(new Error("changed my mind"));
        return started.promise;
      },
    });
    await expect(serve(source(plugin), { signal: controller.signal })).rejects.toThrow("changed my mind");
    expect(plugin.life).toEqual(["start"]);
    started.resolve();
    await vi.waitFor(() => expect(plugin.life).toEqual(["start", "close"]));
  });

  it("is not held on to by a server that has closed", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: unknown[]) => {
      listeners += 1;
      return Reflect.apply(addEventListener, signal, args) as undefined;
    };
    signal.removeEventListener = (...args: unknown[]) => {
      listeners -= 1;
      return Reflect.apply(removeEventListener, signal, args) as undefined;
    };
    const server = await serving(ram(1), { signal });
    expect(listeners).toBe(1);
    await server.close();
    expect(listeners).toBe(0);
  });
});

describe("the signal of an open disk", () => {
  it.each<[string, (client: RawClient) => void]>([
    ["closes its socket", (client) => client.stream.destroy()],
    ["ends its side of a socket without a DISC", (client) => client.stream.end()],
    ["resets its socket", (client) => void (client.stream as Socket).resetAndDestroy()],
  ])("is aborted when the client %s", async (_how, leave) => {
    const { plugin, asked, signal } = held();
    const server = await serving(plugin, { host: "127.0.0.1", port: 0, listen: true });
    const client = await dialled(server);
    await client.negotiate();
    client.request({ type: wire.READ, length: 1n });
    await asked;
    expect(signal().aborted).toBe(false);
    leave(client);
    while (!signal().aborted || server.connections > 0) await turn();
    expect(plugin.violations).toEqual([]);
  });

  it("is aborted when the client's stream is destroyed", async () => {
    const { plugin, asked, signal } = held();
    const client = connected(await serving(plugin));
    await client.negotiate();
    client.request({ type: wire.READ, length: 1n });
    await asked;
    client.stream.destroy(new Error("reset"));
    while (!signal().aborted) await turn();
  });

  it("is not aborted when a client on a pair of pipes has nothing more to say: it may still listen", async () => {
    const { plugin, asked, finish, signal } = held();
    const client = connected(await serving(plugin));
    await client.negotiate();
    client.request({ type: wire.READ, length: 4n });
    client.stream.end();
    await asked;
    for (let i = 0; i < 5; i += 1) await turn();
    expect(signal().aborted).toBe(false);
    finish();
    await client.expect(client.data(Buffer.from("wwww")));
    await client.expectEnd();
  });

  it("is not aborted by DISC while requests are under way", async () => {
    const { plugin, asked, finish, signal } = held();
    const client = connected(await serving(plugin));
    await client.negotiate();
    client.request({ type: wire.READ, length: 4n }, { type: wire.DISC });
    await asked;
    for (let i = 0; i < 5; i += 1) await turn();
    expect(signal().aborted).toBe(false);
    finish();
    await client.expect(client.data(Buffer.from("wwww")));
  });

  it("is aborted when the handshake ends without a transmission phase", async () => {
    const { plugin, signal } = held();
    const client = connected(await serving(plugin));
    await client.greet();
    await client.ask(INFO, infoQuery("x"));
    client.send(option(wire.ABORT));
    await client.rest();
    client.stream.destroy();
    while (!signal().aborted) await turn();
  });
});

it("a range that takes for ever to zero is given up when the client is gone", async () => {
  let writes = 0;
  const plugin = strict({
    name: "endless",
    open: () => ({
      size: 2n ** 62n,
      read() {},
      write() {
        writes += 1;
      },
    }),
  });
  const server = await serving(plugin, { listen: true });
  const client = await dialled(server);
  await client.negotiate({ mode: "extended" });
  client.request({ type: wire.ZERO, length: 2n ** 62n });
  while (writes < 100) await turn();
  client.stream.destroy();
  while (server.connections > 0) await turn();
  expect(plugin.violations).toEqual([]);
  expect(plugin.life).toEqual(["start", "open ", "close "]);
});

it("what goes wrong after close() has given up on a disk is still told", async () => {
  const mayFinish = deferred();
  const asked = deferred();
  const plugin: Plugin = {
    name: "late",
    open: () => ({
      size: 512n,
      async read() {
        asked.resolve();
        await mayFinish.promise;
      },
      close() {
        throw new Error("too late");
      },
    }),
  };
  const server = await serving(plugin);
  const client = connected(server);
  await client.negotiate();
  client.request({ type: wire.READ, length: 1n });
  await asked.promise;
  expect(await thrownBy(() => server.close({ deadline: 0 }))).toMatchObject({ code: "ETIMEDOUT" });
  const { warned } = await warning(async () => {
    mayFinish.resolve();
    await turn();
    return {};
  });
  expect(warned).toEqual(["diskwright: closing a client's disk failed: too late"]);
});
