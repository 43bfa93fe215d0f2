// Counting clients from when they come until they are gone and their disks are closed.

import { describe, expect, it } from "vitest";
import { Clients } from "../../src/common/clients.ts";
import type { OpenRequest, Peer } from "../../src/contract/index.ts";
import { memory } from "../../src/index.ts";

/** A client, and its going. */
function client(): { readonly peer: Peer; readonly request: OpenRequest; go(): void } {
  const controller = new AbortController();
  const peer: Peer = { transport: "unix", signal: controller.signal };
  const { signal } = controller;
  return {
    peer,
    request: { peer, exportName: "", readonly: false, tls: false, signal, disconnect: () => undefined },
    go: () => controller.abort(),
  };
}

describe("clients", () => {
  it("count from when they connect until they are gone", () => {
    let left = 0;
    const clients = new Clients(() => (left += 1));
    const [one, two] = [client(), client()];
    clients.connected(one.peer);
    clients.connected(one.peer);
    clients.connected(two.peer);
    expect(clients.count).toBe(2);
    one.go();
    expect([clients.count, clients.has(one.peer), clients.has(two.peer), left]).toEqual([1, false, true, 1]);
  });

  it("are one each, however many disks they open", async () => {
    const clients = new Clients();
    const one = client();
    clients.connected(one.peer);
    const first = await clients.open(memory(512), one.request);
    const second = await clients.open(memory(512), one.request);
    expect(clients.count).toBe(1);
    await first.close();
    await second.close();
    expect(clients.count).toBe(1);
    one.go();
    expect(clients.count).toBe(0);
  });

  it("count until their disks are closed, when they have gone before", async () => {
    const clients = new Clients();
    const one = client();
    const disk = await clients.open(memory(512), one.request);
    one.go();
    expect(clients.count).toBe(1);
    await disk.close();
    await disk.close();
    expect(clients.count).toBe(0);
  });

  it("that nobody can tell the going of count while they have a disk", async () => {
    const clients = new Clients();
    const request: OpenRequest = { ...client().request, peer: { transport: "process" } };
    clients.connected(request.peer);
    expect(clients.count).toBe(0);
    const disk = await clients.open(memory(512), request);
    expect(clients.count).toBe(1);
    await disk.close();
    expect(clients.count).toBe(0);
  });

  it("that are refused a disk do not have it", async () => {
    const clients = new Clients();
    const one = client();
    const closed = { name: "closed", open: () => Promise.reject(new Error("not today")) };
    await expect(clients.open(closed, one.request)).rejects.toThrow("not today");
    expect(clients.count).toBe(0);
  });
});
