// What one client can make the server do is bounded: how many come, how much they ask for at once, how much of the answers they leave lying.

import { describe, expect, it } from "vitest";
import { pipe } from "../../src/contract/index.ts";
import type { Plugin } from "../../src/contract/plugin.ts";
import * as wire from "../client/wire.ts";
import { turn } from "../contract/fixtures.ts";
import { option, request } from "../fixtures/client-bytes.ts";
import { deferred } from "../fixtures/deferred.ts";
import { late, ram } from "../fixtures/ram.ts";
import { connected, dialled, type RawClient, serving, transmitting } from "../fixtures/raw-client.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Waits until nothing changes any more. */
async function settled(what: () => number): Promise<number> {
  for (let still = 0, before = -1; still < 20; ) {
    await turn();
    const now = what();
    still = now === before ? still + 1 : 0;
    before = now;
  }
  return what();
}

/** A disk that answers nothing until it is told to. */
function reluctant(): { plugin: Plugin; asked: () => number; most: () => number; release(): void } {
  const released = deferred();
  let asked = 0;
  let underWay = 0;
  let most = 0;
  const wait = async (): Promise<void> => {
    asked += 1;
    underWay += 1;
    most = Math.max(most, underWay);
    await released.promise;
    await turn();
    underWay -= 1;
  };
  const plugin: Plugin = {
    name: "reluctant",
    open: () => ({ size: BigInt(64 * MiB), read: wait, write: wait, trim: wait }),
  };
  return { plugin, asked: () => asked, most: () => most, release: released.resolve };
}

/** A disk of zeroes that notes how much was read of it. */
function zeroes(): Plugin & { read: number } {
  const plugin = {
    name: "zeroes",
    read: 0,
    open: () => ({
      size: BigInt(64 * MiB),
      read(target: Uint8Array) {
        plugin.read += target.length;
        target.fill(0);
      },
    }),
  };
  return plugin;
}

describe("limits.connections", () => {
  it("has clients hung up on before a byte is sent when there are so many", async () => {
    const server = await serving(ram(512), { listen: true, limits: { connections: 2 } });
    const first = await dialled(server);
    await first.expect(wire.greeting());
    const second = connected(server);
    await second.expect(wire.greeting());
    await (await dialled(server)).expectEnd();
    await connected(server).expectEnd();
    expect(server.connections).toBe(2);
    first.stream.destroy();
    while (server.connections === 2) await turn();
    await (await dialled(server)).expect(wire.greeting());
  });
});

describe("limits.requestsInFlight", () => {
  it("has no further requests read while so many are under way, and all of them served in the end", async () => {
    const { plugin, asked, most, release } = reluctant();
    const client = await transmitting(plugin, {}, { limits: { requestsInFlight: 3 } });
    for (let i = 0; i < 20; i += 1) client.request({ type: wire.TRIM, cookie: BigInt(i), length: 1n });
    expect(await settled(asked)).toBe(3);
    release();
    for (let i = 0; i < 20; i += 1) await client.expect(client.done(BigInt(i)));
    expect(most()).toBe(3);
    await client.disconnect();
  });

  it("holds within one packet too", async () => {
    const { plugin, asked, most, release } = reluctant();
    const client = await transmitting(plugin, {}, { limits: { requestsInFlight: 5 } });
    client.send(...Array.from({ length: 1000 }, (_, i) => request({ type: wire.TRIM, cookie: BigInt(i), length: 1n })));
    expect(await settled(asked)).toBe(5);
    release();
    for (let i = 0; i < 1000; i += 1) await client.expect(client.done(BigInt(i)));
    expect(most()).toBe(5);
  });

  it("of one has requests served strictly one after the other", async () => {
    const { plugin, most, release } = reluctant();
    const client = await transmitting(plugin, {}, { limits: { requestsInFlight: 1 } });
    release();
    for (let i = 0; i < 50; i += 1) client.write(0n, Buffer.alloc(5000), { cookie: BigInt(i) });
    for (let i = 0; i < 50; i += 1) await client.expect(client.done(BigInt(i)));
    expect(most()).toBe(1);
  });
});

it("writes that waited for their turn reach a disk that answers later, over a socket too", async () => {
  const disk = ram(MiB);
  const server = await serving(pipe(disk, late(1)), { listen: true, limits: { requestsInFlight: 2 } });
  const client = await dialled(server);
  await client.negotiate();
  const writes = Array.from({ length: 64 }, (_, i) =>
    request({ type: wire.WRITE, cookie: BigInt(i), offset: BigInt(i * 1000), payload: Buffer.alloc(1000, i) }),
  );
  client.send(...writes.slice(0, 32));
  client.send(...writes.slice(32));
  const answered = new Set<bigint>();
  while (answered.size < 64) answered.add((await client.read(16)).readBigUInt64BE(8));
  for (let i = 0; i < 64; i += 1) expect(disk.bytes.subarray(i * 1000, (i + 1) * 1000).every((byte) => byte === i)).toBe(true);
  await client.disconnect();
});

describe("limits.bytesInFlight", () => {
  it.each<[string, (client: RawClient, cookie: bigint) => void, number]>([
    ["reads", (client, cookie) => client.request({ type: wire.READ, cookie, length: 100_000n }), 16 + 100_000],
    ["writes", (client, cookie) => client.write(0n, Buffer.alloc(100_000), { cookie }), 16],
  ])("has no further %s taken while so many bytes are under way", async (_what, ask, answer) => {
    const { plugin, asked, most, release } = reluctant();
    const client = await transmitting(plugin, {}, { limits: { bytesInFlight: 250_000 } });
    for (let i = 0; i < 10; i += 1) ask(client, BigInt(i));
    expect(await settled(asked)).toBe(3);
    release();
    for (let i = 0; i < 10; i += 1) await client.read(answer);
    expect(most()).toBe(3);
    await client.disconnect();
  });

  it.each([
    ["one after the other", 1],
    ["in one packet", 200],
  ])("has a client that does not take its replies asked for nothing more: requests sent %s", async (_how, together) => {
    const disk = zeroes();
    const server = await serving(disk, { limits: { bytesInFlight: 4 * MiB } });
    const client = connected(server);
    await client.negotiate();
    client.stream.pause();
    const reads = Array.from({ length: together }, (_, i) => request({ type: wire.READ, cookie: BigInt(i), length: BigInt(MiB) }));
    for (let sent = 0; sent < 200; sent += together) client.send(...reads);
    const read = await settled(() => disk.read);
    expect(read).toBeGreaterThanOrEqual(4 * MiB);
    expect(read).toBeLessThanOrEqual(6 * MiB);
    client.stream.resume();
    for (let i = 0; i < 200; i += 1) await client.read(16 + MiB);
    await client.disconnect();
  });

  it.each([1, 16, 100, 16_384, 65_536])("may be as small as it likes: %i", async (bytesInFlight) => {
    const server = await serving(ram(MiB), { listen: true, limits: { bytesInFlight } });
    for (const client of [connected(server), await dialled(server)]) {
      await client.negotiate();
      for (let i = 0; i < 50; i += 1) client.request({ type: wire.READ, cookie: BigInt(i), length: BigInt(i * 1000) });
      for (let i = 0; i < 50; i += 1) await client.expect(client.data(Buffer.alloc(i * 1000), BigInt(i)));
      for (let i = 0; i < 50; i += 1) client.write(0n, Buffer.alloc(i * 1000), { cookie: BigInt(i) });
      for (let i = 0; i < 50; i += 1) await client.expect(client.done(BigInt(i)));
      await client.disconnect();
    }
  });

  it("counts what zeroing and caching by hand take while they are under way", async () => {
    const { plugin, asked, release } = reluctant();
    const client = await transmitting(plugin, {}, { limits: { bytesInFlight: 4 * MiB } });
    for (let i = 0; i < 100; i += 1)
      client.request({ type: i % 2 === 0 ? wire.ZERO : wire.CACHE, cookie: BigInt(i), length: BigInt(8 * MiB) });
    expect(await settled(asked)).toBeLessThanOrEqual(5);
    release();
    for (let i = 0; i < 100; i += 1) await client.read(16);
  });
});

it("a client that asks for long lists and does not read them is asked to wait", async () => {
  let lists = 0;
  const exports = Array.from({ length: 5000 }, (_, index) => ({ name: `${index}`.padEnd(100) }));
  const plugin: Plugin = {
    ...ram(512),
    exports() {
      lists += 1;
      return exports;
    },
  };
  const client = connected(await serving(plugin));
  await client.greet();
  client.stream.pause();
  for (let i = 0; i < 100; i += 1) client.send(option(wire.LIST));
  expect(await settled(() => lists)).toBeLessThanOrEqual(4);
  client.stream.resume();
  for (let i = 0; i < 100; i += 1) await client.read(5000 * (20 + 4 + 100) + 20);
  expect(lists).toBe(100);
});

it("the memory of a slow client is bounded: what it leaves lying does not grow with what it asks for", async () => {
  const disk = zeroes();
  const server = await serving(disk, { listen: true, limits: { bytesInFlight: 8 * MiB } });
  const clients = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const client = await dialled(server);
      await client.negotiate();
      client.stream.pause();
      return client;
    }),
  );
  const before = process.memoryUsage();
  for (const client of clients) {
    client.send(...Array.from({ length: 1000 }, (_, i) => request({ type: wire.READ, cookie: BigInt(i), length: BigInt(MiB) })));
  }
  await settled(() => disk.read);
  const { arrayBuffers } = process.memoryUsage();
  expect(disk.read).toBeLessThan(4 * 16 * MiB);
  // Twice what may be in flight, as buffers that were sent are kept for the next replies, and one for what lies in the socket.
  expect(arrayBuffers - before.arrayBuffers).toBeLessThan(4 * 17 * MiB);
  for (const client of clients) client.stream.destroy();
  while (server.connections > 0) await turn();
});
