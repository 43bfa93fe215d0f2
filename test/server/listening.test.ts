// Where a server listens, what it tells of that, and what is left of it afterwards.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, statSync } from "node:fs";
import { createConnection, createServer, type Server as NetServer } from "node:net";
import { dirname, join } from "node:path";
import { Duplex, Readable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Peer, Plugin } from "../../src/contract/plugin.ts";
import { type ServeOptions, type Server, serve } from "../../src/server/index.ts";
import * as wire from "../client/wire.ts";
import { startChild } from "../fixtures/child.ts";
import { duplexPair } from "../fixtures/duplex-pair.ts";
import { ram } from "../fixtures/ram.ts";
import { dialled, RawClient } from "../fixtures/raw-client.ts";
import { strict } from "../fixtures/strict.ts";
import { tree } from "../fixtures/tree.ts";

async function listening(options: ServeOptions = {}, plugin: Plugin = ram(4096)): Promise<Server> {
  const server = await serve(plugin, options);
  onTestFinished(() => server.close());
  return server;
}

/** Reads a byte of the server's disk. */
async function works(server: Server): Promise<void> {
  const client = await dialled(server);
  await client.negotiate();
  client.request({ type: wire.READ, length: 1n });
  await client.expect(client.data(Buffer.alloc(1)));
  await client.disconnect();
  client.stream.destroy();
}

/** A plugin that notes who comes. */
function seeing(): Plugin & { peers: Peer[] } {
  const peers: Peer[] = [];
  return { ...ram(4096), peers, preconnect: (peer) => void peers.push(peer) };
}

describe("a unix socket", () => {
  it.each([{}, { unix: true }])("is a private one by default, gone with its directory when the server closes: %j", async (options) => {
    const server = await listening(options);
    const { address } = server;
    if (address?.transport !== "unix") throw new Error("not a unix socket");
    expect(server.uri).toBe(`nbd+unix:///?socket=${address.path}`);
    expect(statSync(dirname(address.path)).mode & 0o777).toBe(0o700);
    await works(server);
    await server.close();
    expect(existsSync(dirname(address.path))).toBe(false);
  });

  it("has the path that is asked for, and is removed on close", async () => {
    const path = join(tree(), "a disk");
    const server = await listening({ unix: path });
    expect(server.address).toEqual({ transport: "unix", path });
    expect(server.uri).toBe(`nbd+unix:///?socket=${encodeURI(path)}`);
    expect(server.uriOf("über/all")).toBe(`nbd+unix:///%C3%BCber/all?socket=${encodeURI(path)}`);
    await works(server);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it("tells the plugin how the client came", async () => {
    const plugin = seeing();
    await works(await listening({}, plugin));
    expect(plugin.peers).toEqual([{ transport: "unix" }]);
  });

  it("is taken over from a server that was killed", async () => {
    const path = join(tree(), "stale");
    const killed = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
    spawnSync(process.execPath, ["-e", killed, path]);
    expect(statSync(path).isSocket()).toBe(true);
    await works(await listening({ unix: path }));
  });

  it("is left to a server that listens there", async () => {
    const path = join(tree(), "live");
    const first = await listening({ unix: path });
    const plugin = strict(ram(4096));
    await expect(serve(plugin, { unix: path })).rejects.toMatchObject({
      code: "EADDRINUSE",
      message: `unix ${JSON.stringify(path)}: another server listens there`,
    });
    expect(plugin.life).toEqual(["start", "close"]);
    await works(first);
  });

  it("never replaces a file that is no socket", async () => {
    const path = join(tree({ "disk.img": "precious" }), "disk.img");
    await expect(serve(ram(4096), { unix: path })).rejects.toMatchObject({
      code: "EADDRINUSE",
      message: `unix ${JSON.stringify(path)}: there is a file that is no socket`,
    });
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  it("needs a directory", async () => {
    await expect(serve(ram(4096), { unix: join(tree(), "missing", "socket") })).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("TCP", () => {
  it("picks a free port when it is asked for 0, and tells which", async () => {
    const server = await listening({ port: 0 });
    const { address } = server;
    if (address?.transport !== "tcp") throw new Error("not TCP");
    expect(address.port).toBeGreaterThan(0);
    expect(server.uri).toBe(`nbd://${address.host}:${address.port}/`);
    expect(server.uriOf("a b")).toBe(`nbd://${address.host}:${address.port}/a%20b`);
    await works(server);
  });

  it("is on the loopback unless told otherwise", async () => {
    const { address } = await listening({ port: 0 });
    expect(address).toMatchObject({ transport: "tcp", host: "127.0.0.1" });
  });

  it.each(["127.0.0.1", "localhost", "::1"])("listens on the host that it is told: %s", async (host) => {
    await works(await listening({ host, port: 0 }));
  });

  it("tells the plugin where the client came from", async () => {
    const plugin = seeing();
    await works(await listening({ host: "127.0.0.1", port: 0 }, plugin));
    expect(plugin.peers).toEqual([{ transport: "tcp", address: "127.0.0.1", port: expect.any(Number) }]);
  });

  it("fails where somebody else listens, and the plugin is closed", async () => {
    const { address } = await listening({ port: 0 });
    if (address?.transport !== "tcp") throw new Error("not TCP");
    const plugin = strict(ram(4096));
    await expect(serve(plugin, { port: address.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(plugin.life).toEqual(["start", "close"]);
  });

  it("sends small replies at once: Nagle's algorithm is off", async () => {
    const server = await listening({ port: 0 });
    const client = await dialled(server);
    await client.negotiate();
    const started = performance.now();
    for (let i = 0; i < 20; i += 1) {
      client.request({ type: wire.READ, length: 1n }, { type: wire.READ, length: 1n });
      await client.read(34);
    }
    // A delayed acknowledgement takes 40 ms each.
    expect(performance.now() - started).toBeLessThan(600);
  });
});

describe("an inherited socket", () => {
  const inherited = async (listener: NetServer): Promise<{ uri: string | null; address: unknown }> => {
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const child = await startChild("server/children/inherited.ts", { stdio: ["pipe", "pipe", "inherit", fd] });
    const [line] = (await once((child.stdout as Readable).setEncoding("utf8"), "data")) as [string];
    return JSON.parse(line) as { uri: string | null; address: unknown };
  };

  it("is served: TCP", async () => {
    const listener = createServer().listen({ host: "127.0.0.1", port: 0 });
    await once(listener, "listening");
    const { port } = listener.address() as { port: number };
    const { uri } = await inherited(listener);
    expect(uri).toBe(`nbd://127.0.0.1:${port}/`);
    // Either process would take clients: this one stops to.
    listener.close();
    const client = new RawClient(createConnection({ host: "127.0.0.1", port }));
    expect((await client.negotiate()).size).toBe(4096n);
    await client.disconnect();
  });

  it("is served: a unix socket, whose path it cannot tell", async () => {
    const path = join(tree(), "inherited");
    const listener = createServer().listen(path);
    await once(listener, "listening");
    expect(await inherited(listener)).toEqual({ uri: null, address: null });
    // This process stops to accept, and would take the path with it.
    const moved = `${path}.moved`;
    renameSync(path, moved);
    listener.close();
    const client = new RawClient(createConnection(moved));
    expect((await client.negotiate()).size).toBe(4096n);
    await client.disconnect();
  });

  it("must be a socket", async () => {
    await expect(serve(ram(4096), { fd: 999_999 })).rejects.toThrow();
  });
});

describe("standard input and output", () => {
  it("serve one client; the server closes when it leaves", async () => {
    const child = await startChild("server/children/stdio.ts");
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) throw new Error("no pipes");
    let said = "";
    stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const client = new RawClient(Duplex.from({ readable: stdout, writable: stdin }));
    await client.negotiate();
    client.request({ type: wire.READ, offset: 8n, length: 8n });
    await client.expect(client.data(Buffer.from("letters!"), 1n, 8n));
    await client.disconnect();
    stdin.end();
    expect(await once(child, "close")).toEqual([0, null]);
    expect(said).toBe("closed, 0 connections, undefined");
  });

  it("serve a client that just stops talking", async () => {
    const child = await startChild("server/children/stdio.ts");
    child.stdin?.end(Buffer.concat([wire.u32(3), Buffer.from("IHAVEOPT"), wire.u32(wire.LIST), wire.u32(0)]));
    const answer = await Readable.from(child.stdout as Readable).toArray();
    expect(Buffer.concat(answer as Buffer[])).toEqual(
      wire.join(wire.greeting(), wire.serverReply(""), wire.optionReply(wire.LIST, wire.ACK)),
    );
    if (child.exitCode === null) await once(child, "close");
    expect(child.exitCode).toBe(0);
  });
});

describe("accept()", () => {
  it("serves a client on any stream, and settles when it has left", async () => {
    const plugin = seeing();
    const server = await listening({ listen: false }, plugin);
    expect([server.address, server.uri, server.uriOf("x")]).toEqual([undefined, undefined, undefined]);
    const [ours, theirs] = duplexPair();
    const left = server.accept(theirs);
    const client = new RawClient(ours);
    await client.negotiate();
    expect(server.connections).toBe(1);
    await client.disconnect();
    ours.destroy();
    await left;
    expect(server.connections).toBe(0);
    expect(plugin.peers).toEqual([{ transport: "stream" }]);
  });

  it("tells the plugin of the peer that it is told of", async () => {
    const plugin = seeing();
    const server = await listening({ listen: false }, plugin);
    const peer: Peer = { transport: "tcp", address: "192.0.2.7", port: 5000 };
    const [ours, theirs] = duplexPair();
    void server.accept(theirs, peer);
    await new RawClient(ours).expect(wire.greeting());
    expect(plugin.peers).toEqual([peer]);
    ours.destroy();
  });

  it("serves a socket of somebody else's server", async () => {
    const server = await listening({ listen: false });
    const front = createServer((socket) => void server.accept(socket)).listen({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => void front.close());
    await once(front, "listening");
    const client = new RawClient(createConnection(front.address() as { port: number }));
    await client.negotiate();
    await client.disconnect();
    client.stream.destroy();
  });

  it("goes with listening: clients come both ways", async () => {
    const server = await listening({});
    const [ours, theirs] = duplexPair();
    void server.accept(theirs);
    await new RawClient(ours).negotiate();
    await works(server);
    ours.destroy();
  });

  it("hangs up at once after close", async () => {
    const server = await listening({ listen: false });
    await server.close();
    const [ours, theirs] = duplexPair();
    await server.accept(theirs);
    await new RawClient(ours).expectEnd();
  });
});

it("several servers live in one process, and do not know of each other", async () => {
  const shared = strict(ram(4096));
  const servers = [await listening({}, shared), await listening({ port: 0 }, shared), await listening({})];
  await Promise.all(servers.map(works));
  await servers[0]?.close();
  await Promise.all(servers.slice(1).map(works));
  expect(shared.life.filter((event) => event === "start" || event === "close")).toEqual(["start"]);
  await servers[1]?.close();
  expect(shared.life.at(-1)).toBe("close");
  expect(shared.violations).toEqual([]);
});
