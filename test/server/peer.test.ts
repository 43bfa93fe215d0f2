// What plugins get to know of a client's end.

import { createConnection } from "node:net";
import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { Peer, Plugin } from "../../src/contract/index.ts";
import { native } from "../../src/native/index.ts";
import { serve } from "../../src/server/index.ts";
import { duplexPair } from "../fixtures/duplex-pair.ts";
import { ram } from "../fixtures/ram.ts";
import { served } from "../fixtures/served.ts";

/** A disk that keeps the peers that it saw connecting, and those that opened it. */
function seeing(welcome = true): Plugin & { readonly connected: Peer[]; readonly opened: Peer[] } {
  const [connected, opened]: [Peer[], Peer[]] = [[], []];
  const below = ram(512);
  return {
    name: "seeing",
    connected,
    opened,
    preconnect(peer) {
      connected.push(peer);
      if (!welcome) throw new Error("not today");
    },
    open(request) {
      opened.push(request.peer);
      return below.open(request);
    },
  };
}

const aborted = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => (signal?.aborted ? resolve() : signal?.addEventListener("abort", () => resolve())));

describe("a peer", () => {
  it("has a signal that is aborted when the client goes", async () => {
    const plugin = seeing();
    const { uri } = await served("unix", plugin);
    const disk = await connect(uri);
    expect(plugin.opened[0]).toBe(plugin.connected[0]);
    expect(plugin.opened[0]?.signal?.aborted).toBe(false);
    await disk.close();
    await aborted(plugin.opened[0]?.signal);
  });

  it("has one that is aborted when a client goes that never opened anything", async () => {
    const plugin = seeing();
    const { uri } = await served("unix", plugin);
    const socket = createConnection(new URL(uri).searchParams.get("socket") as string);
    await new Promise((resolve) => socket.once("data", resolve));
    expect(plugin.connected[0]?.signal?.aborted).toBe(false);
    socket.destroy();
    await aborted(plugin.connected[0]?.signal);
  });

  it("has one that is aborted when the plugin refuses it, or the server closes", async () => {
    const closed = seeing(false);
    await expect(connect((await served("unix", closed)).uri)).rejects.toThrow();
    await aborted(closed.connected[0]?.signal);

    const plugin = seeing();
    const { server, uri } = await served("unix", plugin);
    const disk = await connect(uri);
    await server.close();
    await aborted(plugin.connected[0]?.signal);
    await disk.close().catch(() => undefined);
  });

  it("that an app makes up is left as it is", async () => {
    const plugin = seeing();
    await using server = await serve(plugin, { listen: false });
    const peer: Peer = Object.freeze({ transport: "tcp", address: "192.0.2.7", port: 5000 });
    const [ours, theirs] = duplexPair();
    const accepted = server.accept(theirs, peer);
    await new Promise((resolve) => ours.once("data", resolve));
    ours.destroy();
    await accepted;
    expect(plugin.connected).toEqual([peer]);
    expect(plugin.connected[0]?.signal?.aborted).toBe(true);
    expect("signal" in peer).toBe(false);
  });

  it.runIf(native() !== undefined)("of a unix socket says which process it is, when it is asked", async () => {
    const plugin = seeing();
    const { uri } = await served("unix", plugin);
    const disk = await connect(uri);
    const me = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    expect(plugin.opened[0]?.process).toMatchObject(me);
    await disk.close();
    await aborted(plugin.opened[0]?.signal);
    expect(plugin.opened[0]?.process, "it is remembered").toMatchObject(me);
  });

  it("of a TCP socket says nothing of a process", async () => {
    const plugin = seeing();
    const { uri } = await served("tcp", plugin);
    await (await connect(uri)).close();
    expect(plugin.opened[0]?.process).toBeUndefined();
  });
});
