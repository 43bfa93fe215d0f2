// Ten thousand clients come and go, politely and not, at a server in a process of its own; prints what the process holds before and after as JSON.

import { readdirSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Server, serve } from "../../../src/server/index.ts";
import * as wire from "../../client/wire.ts";
import { ByteStream } from "../../fixtures/byte-stream.ts";
import { clientFlags, infoQuery, option, request } from "../../fixtures/client-bytes.ts";
import { ram } from "../../fixtures/ram.ts";
import { strict } from "../../fixtures/strict.ts";

const WARM_UP = 1000;
const CLIENTS = 10_000;
const AT_ONCE = 16;

const GO = option(wire.GO, infoQuery(""));
const write = request({ type: wire.WRITE, payload: Buffer.alloc(10_000, 1) });
const read = request({ type: wire.READ, length: 10_000n });
const disc = request({ type: wire.DISC });

/** The ways to come and go. */
const visits: readonly ((client: ByteStream, socket: Socket) => Promise<void>)[] = [
  async function saysNothing() {},
  async function isGreetedAndLeaves(client) {
    await client.read(18);
  },
  async function stopsInTheFlags(client) {
    await client.read(18);
    client.send(Buffer.from([0, 0]));
  },
  async function stopsInAnOption(client) {
    await client.read(18);
    client.send(clientFlags(), GO.subarray(0, 20));
  },
  async function lists(client) {
    client.send(clientFlags(), option(wire.LIST), option(wire.ABORT));
    await client.rest();
  },
  async function readsAndWrites(client) {
    client.send(clientFlags(), GO, write, read);
    await client.read(18 + 20 + 12 + 20 + 16 + 16 + 10_000);
    client.send(disc);
    await client.rest();
  },
  async function leavesWithRequestsUnderWay(client) {
    client.send(clientFlags(), GO, read, read, read);
    await client.read(18 + 20 + 12 + 20 + 5000);
  },
  async function leavesInAWrite(client) {
    client.send(clientFlags(), GO, write.subarray(0, 6000));
    await client.read(18 + 20 + 12 + 20);
  },
  async function isReset(client, socket) {
    client.send(clientFlags(), GO, read);
    await client.read(18);
    // A unix socket knows no reset.
    if (socket.remoteAddress !== undefined) socket.resetAndDestroy();
  },
  async function speaksAnotherProtocol(client) {
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await client.rest();
  },
];

async function visit(server: Server, number: number): Promise<void> {
  const { address } = server;
  if (address === undefined) throw new Error("the server listens nowhere");
  const socket = createConnection({ ...address, noDelay: true });
  socket.on("error", () => undefined);
  const client = new ByteStream(socket);
  const behave = visits[number % visits.length] as (typeof visits)[number];
  await behave(client, socket).catch((error: unknown) => {
    if (!socket.destroyed) throw error;
  });
  socket.destroy();
}

async function crowd(servers: readonly Server[], clients: number): Promise<void> {
  let number = 0;
  const visitor = async (): Promise<void> => {
    for (; number < clients; ) {
      const mine = number++;
      await visit(servers[Math.floor(mine / visits.length) % servers.length] as Server, mine);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  while (servers.some(({ connections }) => connections > 0)) await sleep(5);
}

/** What the process holds. */
async function held(): Promise<Record<string, number>> {
  await sleep(20);
  for (let i = 0; i < 3; i += 1) {
    globalThis.gc?.();
    await sleep(10);
  }
  const { heapUsed, rss, arrayBuffers, external } = process.memoryUsage();
  return {
    fds: readdirSync("/proc/self/fd").length,
    resources: process.getActiveResourcesInfo().length,
    heapUsed,
    rss,
    buffers: arrayBuffers + external,
  };
}

async function main(): Promise<void> {
  const disk = strict(ram(65_536));
  const servers = [await serve(disk, { unix: true }), await serve(disk, { host: "127.0.0.1", port: 0 })];
  await crowd(servers, WARM_UP);
  const before = await held();
  const lived = disk.life.length;
  await crowd(servers, CLIENTS);
  const sessions = disk.life.length - lived;
  disk.life.length = 0;
  const after = await held();
  for (const server of servers) await server.close();
  await sleep(50);
  process.stdout.write(JSON.stringify({ before, after, sessions, violations: disk.violations, left: process.getActiveResourcesInfo() }));
}

void main();
