// Which exports a client sees and gets: one plugin under every name, or a map that may change while the server runs.

import { describe, expect, it } from "vitest";
import { DiskError, type OpenRequest, type Peer, type Plugin } from "../../src/contract/index.ts";
import type { Export, ServeOptions, Source } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import * as wire from "../client/wire.ts";
import { turn } from "../contract/fixtures.ts";
import { infoQuery } from "../fixtures/client-bytes.ts";
import { deferred } from "../fixtures/deferred.ts";
import { ram, slowToOpen } from "../fixtures/ram.ts";
import { connected, type RawClient, serving } from "../fixtures/raw-client.ts";
import { strict } from "../fixtures/strict.ts";
import { warning } from "../fixtures/warning.ts";

const { GO, LIST } = wire;
const INFO = 6;

/** The names and descriptions that a client is shown. */
async function listed(client: RawClient): Promise<string[]> {
  const replies = await client.ask(LIST);
  expect(replies.at(-1)?.type).toBe(wire.ACK);
  return replies.slice(0, -1).map(({ payload }) => payload.toString("utf8", 4));
}

async function greeted(source: Source, options: ServeOptions = {}): Promise<RawClient> {
  const client = connected(await serving(source, options));
  await client.greet();
  return client;
}

/** A plugin that notes what it is asked to open. */
function noting(): Plugin & { requests: OpenRequest[] } {
  const requests: OpenRequest[] = [];
  const disk = ram(4096);
  const open: Plugin["open"] = (request) => {
    requests.push(request);
    return disk.open(request);
  };
  return { ...disk, requests, open };
}

describe("a single plugin", () => {
  it("gets every name", async () => {
    const plugin = noting();
    const client = await greeted(plugin);
    for (const name of ["a", "", "über"]) await client.ask(INFO, infoQuery(name));
    expect(plugin.requests.map(({ exportName }) => exportName)).toEqual(["a", "", "über"]);
  });

  it("says what the empty name stands for", async () => {
    const plugin = noting();
    const client = await greeted({ ...plugin, defaultExport: async () => "main" });
    await client.ask(INFO, infoQuery(""));
    expect(plugin.requests[0]?.exportName).toBe("main");
  });

  it("gets to know who asks, and that writes will be refused", async () => {
    const plugin = noting();
    const client = await greeted(plugin, { readonly: true });
    await client.ask(INFO, infoQuery("a"));
    expect(plugin.requests[0]).toMatchObject({ peer: { transport: "stream" }, readonly: true, tls: false, exportName: "a" });
    expect(plugin.requests[0]?.signal.aborted).toBe(false);
  });
});

describe("a map of exports", () => {
  it.each<[string, Source]>([
    ["an object", { one: ram(1), two: { plugin: ram(2), description: "the second" } }],
    [
      "a Map",
      new Map<string, Plugin | Export>([
        ["one", ram(1)],
        ["two", { plugin: ram(2), description: "the second" }],
      ]),
    ],
  ])("is %s", async (_what, source) => {
    const server = await serving(source);
    const client = connected(server);
    await client.greet();
    expect(await listed(client)).toEqual(["one", "twothe second"]);
    expect(await server.exports()).toEqual([{ name: "one" }, { name: "two", description: "the second" }]);
    expect((await client.ask(GO, infoQuery("two")))[0]?.payload.readBigUInt64BE(2)).toBe(2n);
  });

  it("may be empty: then there is nothing to get", async () => {
    const client = await greeted({});
    expect(await listed(client)).toEqual([]);
    expect((await client.refused(GO, infoQuery("x")))[0]).toBe(wire.UNKNOWN);
  });

  it("starts its plugins and closes them, one that is there twice once", async () => {
    const [one, two] = [strict(ram(1)), strict(ram(2))];
    const server = await serving({ a: one, b: one, c: two });
    await server.close();
    expect([one.life, two.life]).toEqual([
      ["start", "close"],
      ["start", "close"],
    ]);
  });

  it("closes what has started when one does not", async () => {
    const good = strict(ram(1));
    const bad: Plugin = { ...ram(1), start: () => Promise.reject(new Error("no licence")) };
    await expect(serve({ good, bad }, { listen: false })).rejects.toThrow("no licence");
    expect(good.life).toEqual(["start", "close"]);
  });

  it.each<[boolean | undefined, boolean | undefined, boolean]>([
    [undefined, undefined, false],
    [true, undefined, true],
    [undefined, true, true],
    [false, true, true],
    [true, false, false],
  ])("is read-only as the server says (%s) unless the export does (%s)", async (ofServer, ofExport, expected) => {
    const plugin = noting();
    const named: Export = { plugin, ...(ofExport !== undefined && { readonly: ofExport }) };
    const client = await greeted({ disk: named }, ofServer === undefined ? {} : { readonly: ofServer });
    const [info] = await client.ask(INFO, infoQuery("disk"));
    expect(((info?.payload.readUInt16BE(10) ?? 0) & wire.READ_ONLY) !== 0).toBe(expected);
    expect(plugin.requests[0]?.readonly).toBe(expected);
  });

  it("describes an export by its own text, or by what the disk says of itself", async () => {
    const disk = ram(1, { description: "what the disk says" });
    const client = await greeted({ own: { plugin: disk, description: "what the app says" }, other: disk });
    const text = async (name: string): Promise<string | undefined> =>
      (await client.ask(INFO, infoQuery(name, [2])))[1]?.payload.toString("utf8", 2);
    expect(await text("own")).toBe("what the app says");
    expect(await text("other")).toBe("what the disk says");
  });
});

describe("an export that is added", () => {
  it("is there for clients to come, and for those who are still choosing", async () => {
    const server = await serving({ first: ram(1) });
    const early = connected(server);
    await early.greet();
    const plugin = strict(ram(2));
    await server.add("second", { plugin, description: "new" });
    const late = connected(server);
    await late.greet();
    for (const client of [early, late]) {
      expect(await listed(client)).toEqual(["first", "secondnew"]);
      expect((await client.ask(GO, infoQuery("second")))[0]?.payload.readBigUInt64BE(2)).toBe(2n);
    }
    expect(plugin.life).toEqual(["start", "open second", "open second"]);
  });

  it("is not there when its plugin does not start", async () => {
    const server = await serving({ first: ram(1) });
    await expect(server.add("second", { ...ram(2), start: () => Promise.reject(new Error("no licence")) })).rejects.toThrow("no licence");
    expect(await server.exports()).toEqual([{ name: "first" }]);
  });

  it("replaces the one of that name for clients to come; those who have it open keep it", async () => {
    const [before, after] = [strict(ram(Buffer.from("before"))), strict(ram(Buffer.from("after!")))];
    const server = await serving({ disk: before });
    const old = connected(server);
    await old.negotiate({ exportName: "disk" });
    await server.add("disk", after);
    expect(before.life).toEqual(["start", "open disk"]);
    const young = connected(server);
    await young.negotiate({ exportName: "disk" });
    for (const [client, text] of [
      [old, "before"],
      [young, "after!"],
    ] as const) {
      client.request({ type: wire.READ, length: 6n });
      await client.expect(client.data(Buffer.from(text)));
    }
    await old.disconnect();
    old.stream.destroy();
    while (before.life.length < 4) await turn();
    expect(before.life).toEqual(["start", "open disk", "close disk", "close"]);
    expect(after.life).toEqual(["start", "open disk"]);
  });

  it("closes at once the one that it replaces when nobody has that open", async () => {
    const before = strict(ram(1));
    const server = await serving({ disk: before });
    await server.add("disk", ram(2));
    expect(before.life).toEqual(["start", "close"]);
  });

  it("may be the same plugin with other settings", async () => {
    const plugin = strict(ram(1));
    const server = await serving({ disk: plugin });
    await server.add("disk", { plugin, readonly: true });
    expect(plugin.life).toEqual(["start"]);
    expect((await connected(server).negotiate({ exportName: "disk" })).flags & wire.READ_ONLY).not.toBe(0);
  });

  it("needs a map, and a server that is not closed", async () => {
    const single = await serving(ram(1));
    await expect(single.add("x", ram(1))).rejects.toThrow(
      "cannot add an export: this server serves one plugin under every name; serve({ name: plugin }) has a map",
    );
    await expect(single.remove("x")).rejects.toThrow("cannot remove an export");
    const closed = await serving({});
    await closed.close();
    const plugin = strict(ram(1));
    await expect(closed.add("x", plugin)).rejects.toThrow('cannot add export "x": the server is closed');
    expect(plugin.life).toEqual(["start", "close"]);
  });

  it.each<[string, unknown, string]>([
    ["a promise", Promise.resolve(ram(1)), 'export "x" is not a plugin but a promise: await it'],
    ["nothing", undefined, 'export "x" is not a plugin: it is undefined'],
    ["a factory", () => ram(1), 'export "x" is not a plugin: it is the function'],
    ["an export without a plugin", { description: "?" }, 'export "x" is not a plugin: it has no open()'],
    ["an export whose plugin is none", { plugin: 7 }, 'export "x" is not a plugin: it is number 7'],
    ["an export that is perhaps read-only", { plugin: ram(1), readonly: "yes" }, 'export "x": readonly yes: expected a boolean'],
    ["an export with a number for a text", { plugin: ram(1), description: 7 }, 'export "x": description 7: expected a string'],
  ])("must be one: %s", async (_what, value, text) => {
    const server = await serving({});
    await expect(server.add("x", value as Plugin)).rejects.toThrow(text);
    await expect(serve({ x: value as Plugin }, { listen: false })).rejects.toThrow(text);
  });

  it.each([["a\0b"], ["x".repeat(4097)], ["é".repeat(2049)]])("has a name that can be sent", async (name) => {
    const server = await serving({});
    await expect(server.add(name, ram(1))).rejects.toThrow("at most 4096 bytes of UTF-8 without NUL are allowed");
  });
});

describe("an export that is removed", () => {
  it("is not there any more, and its clients are let go", async () => {
    const [kept, gone] = [strict(ram(1)), strict(ram(2))];
    const server = await serving({ kept, gone });
    const clients = { kept: connected(server), gone: connected(server), choosing: connected(server), lingering: connected(server) };
    await clients.kept.negotiate({ exportName: "kept" });
    await clients.gone.negotiate({ exportName: "gone" });
    await clients.choosing.greet();
    await clients.lingering.greet();
    await clients.lingering.ask(INFO, infoQuery("gone"));
    await server.remove("gone");
    expect(gone.life).toEqual(["start", "open gone", "open gone", "close gone", "close gone", "close"]);
    await clients.gone.expectEnd();
    await clients.lingering.expectEnd();
    expect(await listed(clients.choosing)).toEqual(["kept"]);
    clients.kept.request({ type: wire.READ, length: 1n });
    await clients.kept.expect(clients.kept.data(Buffer.alloc(1)));
  });

  it("has what is under way finished", async () => {
    const asked = deferred();
    const mayFinish = deferred();
    const plugin = strict({
      name: "slow",
      open: () => ({
        size: 512n,
        async read(target) {
          asked.resolve();
          await mayFinish.promise;
          target.fill(1);
        },
      }),
    });
    const server = await serving({ slow: plugin });
    const client = connected(server);
    await client.negotiate({ exportName: "slow" });
    client.request({ type: wire.READ, length: 1n });
    await asked.promise;
    const removed = server.remove("slow");
    client.request({ type: wire.READ, cookie: 2n, length: 1n });
    expect((await client.error(2n))[0]).toBe(108);
    mayFinish.resolve();
    await client.expect(client.data(Buffer.from([1])));
    await client.expectEnd();
    await removed;
    expect(plugin.violations).toEqual([]);
  });

  it("while it is being opened is closed once it is open, and the client learns that it cannot have it", async () => {
    const slow = slowToOpen();
    const plugin = strict(slow.plugin);
    const server = await serving({ slow: plugin, other: ram(2) });
    const client = connected(server);
    await client.greet();
    const answer = client.refused(GO, infoQuery("slow"));
    await slow.asked;
    const removed = server.remove("slow");
    slow.open();
    expect(await answer).toEqual([wire.SHUTDOWN, "the server is shutting down"]);
    await removed;
    expect(plugin.life).toEqual(["start", "open slow", "close slow", "close"]);
    expect(plugin.violations).toEqual([]);
  });

  it("must have been there", async () => {
    const server = await serving({ one: ram(1) });
    await expect(server.remove("two")).rejects.toMatchObject({ code: "ENOENT", message: 'there is no export "two"' });
  });

  it("is gone also when closing it fails, which is thrown", async () => {
    const server = await serving({ stubborn: { ...ram(1), close: () => Promise.reject(new Error("it will not close")) } });
    await expect(server.remove("stubborn")).rejects.toThrow("it will not close");
    expect(await server.exports()).toEqual([]);
  });
});

describe("preconnect", () => {
  const refusing = (): Plugin => ({ ...ram(1), preconnect: () => Promise.reject(new DiskError("EACCES", "not on Sundays")) });

  it("that throws has the client dropped before a byte is sent", async () => {
    const client = connected(await serving(refusing()));
    await client.expectEnd();
  });

  it("is waited for: nothing is sent before", async () => {
    const agreed = deferred();
    const client = connected(await serving({ ...ram(1), preconnect: () => agreed.promise }));
    let heard = false;
    client.stream.once("data", () => {
      heard = true;
    });
    client.send(wire.u32(3));
    for (let i = 0; i < 10; i += 1) await turn();
    expect(heard).toBe(false);
    agreed.resolve();
    await client.expect(wire.greeting());
    expect((await client.ask(LIST)).at(-1)?.type).toBe(wire.ACK);
  });

  it("that takes too long has the client dropped, as any negotiation does", async () => {
    const plugin: Plugin = { ...ram(1), preconnect: () => new Promise(() => undefined) };
    const client = connected(await serving(plugin, { limits: { handshakeTimeout: 50 } }));
    await client.expectEnd();
  });

  it("of a plugin in a map hides that plugin's export alone", async () => {
    const client = await greeted({ hidden: refusing(), seen: ram(1) });
    expect(await listed(client)).toEqual(["seen"]);
    expect(await client.refused(GO, infoQuery("hidden"))).toEqual([wire.UNKNOWN, 'there is no export "hidden"']);
    expect((await client.ask(GO, infoQuery(""))).at(-1)?.type).toBe(wire.ACK);
  });

  it("of every plugin in a map that throws has the client dropped", async () => {
    const client = connected(await serving({ one: refusing(), two: refusing() }));
    await client.expectEnd();
  });

  it("is asked for an export that came after the client did, before the client sees it", async () => {
    const server = await serving({ first: ram(1) });
    const client = connected(server);
    await client.greet();
    const peers: Peer[] = [];
    await server.add("welcome", { ...ram(1), preconnect: (peer) => void peers.push(peer) });
    await server.add("hidden", refusing());
    expect(await listed(client)).toEqual(["first", "welcome"]);
    expect((await client.refused(GO, infoQuery("hidden")))[0]).toBe(wire.UNKNOWN);
    expect(peers).toEqual([{ transport: "stream" }]);
  });
});

describe("an error of a client's disk in closing", () => {
  it("is told to the app while the server runs", async () => {
    const server = await serving(ram(1, { close: () => Promise.reject(new Error("the tape is stuck")) }));
    const { warned } = await warning(async () => {
      const client = connected(server);
      await client.negotiate();
      await client.disconnect();
      client.stream.destroy();
      while (server.connections > 0) await turn();
      return {};
    });
    expect(warned).toEqual(["diskwright: closing a client's disk failed: the tape is stuck"]);
    await server.close();
  });
});
