// Clients that come in thousands, in crowds, slowly, or leave at any moment: the server outlives them all and keeps nothing of them.

import { once } from "node:events";
import { createConnection } from "node:net";
import type { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { pipe } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { turn } from "../contract/fixtures.ts";
import { ByteStream } from "../fixtures/byte-stream.ts";
import { noise, random } from "../fixtures/bytes.ts";
import { runChild, startChild } from "../fixtures/child.ts";
import { clientFlags, infoQuery, option, request } from "../fixtures/client-bytes.ts";
import { duplexPair } from "../fixtures/duplex-pair.ts";
import { late, ram } from "../fixtures/ram.ts";
import { connected, dialled, expectSame, type RawClient, serving } from "../fixtures/raw-client.ts";
import { sessionDisk, sessions } from "../fixtures/sessions.ts";
import { strict } from "../fixtures/strict.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

interface Held {
  readonly fds: number;
  readonly resources: number;
  readonly heapUsed: number;
  readonly rss: number;
  readonly buffers: number;
}

it("ten thousand clients that come and go leave nothing behind: no descriptors, no handles, no memory", { timeout: 120_000 }, async () => {
  const { stdout } = await runChild("robustness/children/churn.ts", { nodeArgs: ["--expose-gc"] });
  const { before, after, sessions, violations, left } = JSON.parse(stdout) as {
    readonly before: Held;
    readonly after: Held;
    readonly sessions: number;
    readonly violations: readonly string[];
    readonly left: readonly string[];
  };
  expect(violations).toEqual([]);
  // Four in ten get as far as opening the disk, which is noted on opening and on closing it.
  expect(sessions).toBeGreaterThan(2 * 3000);
  expect(after.fds).toBe(before.fds);
  expect(after.resources).toBeLessThanOrEqual(before.resources);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(3 * MiB);
  expect(after.buffers - before.buffers).toBeLessThan(8 * MiB);
  expect(after.rss - before.rss).toBeLessThan(64 * MiB);
  // Once the servers are closed nothing keeps the process alive.
  expect(left.filter((name) => name !== "PipeWrap" && name !== "TTYWrap")).toEqual([]);
});

describe("a client that vanishes", () => {
  const recorded = sessions().filter(({ name }) => /extended|structured|chat/.test(name));

  it.each(recorded.map(({ name, messages }) => [name, messages] as const))(
    "at any byte of its session does no harm: %s",
    async (_name, messages) => {
      const bytes = Buffer.concat(messages);
      // Every byte of what is small, and around the beginning and the end of each message where it is not.
      const places = new Set<number>();
      let at = 0;
      for (const { length } of messages) {
        for (let i = 0; i < length; i += 1) if (length < 100 || i < 36 || i > length - 4 || i % 997 === 0) places.add(at + i);
        at += length;
      }
      const disk = strict(sessionDisk());
      const server = await serving(disk);
      const reset = random(1);
      for (const place of places) {
        const [ours, theirs] = duplexPair();
        ours.on("error", () => undefined);
        const over = server.accept(theirs);
        ours.resume();
        ours.write(bytes.subarray(0, place));
        if (place % 3 === 0) await turn();
        ours.destroy(reset() % 2 === 0 ? new Error("reset") : undefined);
        await over;
      }
      expect(places.size).toBeGreaterThan(300);
      expect(server.connections).toBe(0);
      expect(disk.violations).toEqual([]);
      expect(disk.life.filter((event) => event.startsWith("open")).length).toBe(
        disk.life.filter((event) => event.startsWith("close")).length,
      );
      await connected(server).negotiate({ exportName: "disk" });
    },
  );

  it("while its disk answers later does no harm either", async () => {
    const { messages } = recorded.at(-1) as (typeof recorded)[number];
    const bytes = Buffer.concat(messages);
    const disk = strict(sessionDisk());
    const server = await serving(pipe(disk, late(2)), { listen: true });
    const next = random(2);
    const visits = Array.from({ length: 200 }, async () => {
      const client = await dialled(server);
      client.stream.resume();
      client.send(bytes.subarray(0, next() % bytes.length));
      for (let turns = next() % 5; turns > 0; turns -= 1) await turn();
      client.stream.destroy();
    });
    await Promise.all(visits);
    while (server.connections > 0) await turn();
    expect(disk.violations).toEqual([]);
  });
});

/** Writes to a region of its own and reads it back, again and again. */
async function verified(client: RawClient, region: bigint, size: number, rounds: number, seed: number): Promise<void> {
  const next = random(seed);
  await client.negotiate({ mode: seed % 3 === 0 ? "extended" : "simple" });
  for (let round = 0; round < rounds; round += 1) {
    const length = 1 + (next() % size);
    const payload = noise(length, 1 + (next() % 250));
    client.write(region, payload);
    await client.expect(client.done(1n, region));
    client.request({ type: wire.READ, cookie: 2n, offset: region, length: BigInt(length) });
    await client.expect(client.data(payload, 2n, region));
  }
  await client.disconnect();
  client.stream.destroy();
}

describe("two hundred clients at once", () => {
  const CLIENTS = 200;
  const REGION = 40_000;

  it.each([
    ["at once", ram(CLIENTS * REGION, { extents: undefined as never })],
    ["later", pipe(ram(CLIENTS * REGION, { extents: undefined as never, views: undefined as never }), late(1))],
  ])("each get what they wrote, from a disk that answers %s", async (answers, disk) => {
    const server = await serving(disk, { listen: true });
    const rounds = answers === "later" ? 5 : 15;
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => dialled(server)));
    expect(server.connections).toBeLessThanOrEqual(CLIENTS);
    await Promise.all(clients.map((client, index) => verified(client, BigInt(index * REGION), REGION, rounds, index)));
    while (server.connections > 0) await turn();
  });
});

describe("slow clients", () => {
  it("that never finish their handshake are let go, and others are served meanwhile", async () => {
    const server = await serving(ram(MiB, { extents: undefined as never }), { listen: true, limits: { handshakeTimeout: 400 } });
    const hello = Buffer.concat([clientFlags(), option(wire.GO, infoQuery("x".repeat(4000)))]);
    const slow = Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = await dialled(server);
        let at = 0;
        const timer = setInterval(() => {
          client.send(hello.subarray(at, at + 1));
          at += 1;
        }, 20);
        await client.rest();
        clearInterval(timer);
      }),
    );
    const started = performance.now();
    await verified(await dialled(server), 0n, 100_000, 10, 1);
    expect(performance.now() - started).toBeLessThan(5000);
    await slow;
    while (server.connections > 0) await turn();
  });

  it("that trickle a request, or take a reply bit by bit, do not hold others up", async () => {
    const server = await serving(ram(4 * MiB, { extents: undefined as never }), { listen: true });
    const trickling = await dialled(server);
    await trickling.negotiate();
    const message = request({ type: wire.WRITE, payload: Buffer.alloc(1000) });
    let at = 0;
    const timer = setInterval(() => {
      trickling.send(message.subarray(at, at + 1));
      at += 1;
    }, 5);
    const sipping = await dialled(server);
    await sipping.negotiate();
    sipping.stream.pause();
    sipping.request({ type: wire.READ, length: BigInt(4 * MiB) });
    await Promise.all([2, 4, 5].map(async (seed) => verified(await dialled(server), BigInt(seed * 500_000), 200_000, 10, seed)));
    clearInterval(timer);
    trickling.send(message.subarray(at));
    await trickling.expect(trickling.done());
    sipping.stream.resume();
    expectSame((await sipping.read(16 + 4 * MiB)).subarray(0, 16), wire.simpleReply(1n));
  });
});

it("more clients than there are file descriptors for are hung up on, and the server lives", async () => {
  const child = await startChild("robustness/children/few-descriptors.ts", { descriptors: 40, stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once((child.stdout as Readable).setEncoding("utf8"), "data")) as [string];
  const path = line.replace(/^at /, "").trim();
  const crowd = Array.from({ length: 100 }, () => new ByteStream(createConnection(path)));
  const served = await Promise.all(crowd.map((client) => client.read(18).then(Boolean, () => false)));
  expect(served.filter(Boolean).length).toBeGreaterThan(5);
  expect(served.filter((greeted) => !greeted).length).toBeGreaterThan(5);
  for (const { stream } of crowd) stream.destroy();
  const greeted = async (): Promise<boolean> => {
    const client = new ByteStream(createConnection(path));
    const answer = await client.read(18).then(Boolean, () => false);
    client.stream.destroy();
    return answer;
  };
  // The server notices in its own time that the crowd is gone.
  while (!(await greeted()));
  child.stdin?.end();
  expect(await once(child, "exit")).toEqual([0, null]);
});
