// A client that asks for more than it takes: the server stops reading, also in the middle of a packet, and goes on when there is room.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { Plugin } from "../../src/contract/index.ts";
import type { Limits } from "../../src/server/index.ts";
import { overEach, served } from "../fixtures/served.ts";

const MiB = 1024 * 1024;
const SIMPLE_REPLY = 16;

/** A disk of 1 MiB that counts its reads, and answers later where `wait` says so. */
function counting(wait?: () => Promise<void>): Plugin & { reads: number } {
  const plugin = {
    name: "counting",
    reads: 0,
    open: () => ({
      size: BigInt(MiB),
      read(target: Uint8Array) {
        plugin.reads += 1;
        target.fill(1);
        return wait?.();
      },
    }),
  };
  return plugin;
}

/** Negotiates with EXPORT_NAME: simple replies, no padding. */
async function negotiated(uri: string, address: { path?: string; port?: number }): Promise<Socket> {
  const socket = address.path === undefined ? connect(address.port as number, "127.0.0.1") : connect(address.path);
  onTestFinished(() => void socket.destroy());
  await once(socket, "readable", { signal: AbortSignal.timeout(10_000) });
  socket.read();
  socket.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from("IHAVEOPT"), Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])]));
  await once(socket, "readable", { signal: AbortSignal.timeout(10_000) });
  expect((socket.read() as Buffer).length, uri).toBe(10);
  return socket;
}

/** `count` requests for the whole disk, back to back. */
function reads(count: number, length: number): Buffer {
  const bytes = Buffer.alloc(28 * count);
  for (let i = 0; i < count; i += 1) {
    bytes.writeUInt32BE(0x25609513, 28 * i);
    bytes.writeUInt32BE(i, 28 * i + 12);
    bytes.writeUInt32BE(length, 28 * i + 24);
  }
  return bytes;
}

/** Takes `count` replies to reads of `length` bytes. */
async function takeReplies(socket: Socket, count: number, length: number): Promise<void> {
  const total = count * (SIMPLE_REPLY + length);
  let taken = 0;
  for await (const chunk of socket) {
    taken += (chunk as Buffer).length;
    if (taken >= total) break;
  }
  expect(taken).toBe(total);
}

overEach((reach) => {
  it.each([
    ["at once", undefined],
    ["later", () => Promise.resolve()],
  ])("a disk that answers %s is asked for no more than may be in flight, though one packet asks for far more", async (_, wait) => {
    const disk = counting(wait);
    const { uri, server } = await served(reach, disk, { limits: { bytesInFlight: 4 * MiB } });
    const socket = await negotiated(uri, server.address as { path?: string; port?: number });
    socket.write(reads(100, MiB));
    await once(socket, "readable", { signal: AbortSignal.timeout(10_000) });
    // The kernel's buffers take a few on their way.
    expect(disk.reads).toBeLessThan(20);
    await takeReplies(socket, 100, MiB);
    expect(disk.reads).toBe(100);
  });

  it.each<[Partial<Limits>, number, (() => Promise<void>) | undefined]>([
    [{ bytesInFlight: 1 }, 512, undefined],
    [{ bytesInFlight: 1 }, 100_000, () => Promise.resolve()],
    [{ requestsInFlight: 1 }, 512, () => Promise.resolve()],
    [{ requestsInFlight: 1, bytesInFlight: 1 }, 100_000, () => new Promise((resolve) => setImmediate(resolve))],
  ])("with %o all of 300 reads of %i bytes are answered", async (limits, length, wait) => {
    const disk = counting(wait);
    const { uri, server } = await served(reach, disk, { limits });
    const socket = await negotiated(uri, server.address as { path?: string; port?: number });
    socket.write(reads(300, length));
    await takeReplies(socket, 300, length);
    expect(disk.reads).toBe(300);
  });
});
