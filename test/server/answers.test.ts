// Disks answer when they can: at once, later, now so and now so. Each request gets its own answer, with its own bytes, whatever else is under way.

import { duplexPair } from "node:stream";
import { describe, expect, it } from "vitest";
import { type Connection, DiskError, pipe } from "../../src/contract/index.ts";
import type { Plugin } from "../../src/contract/plugin.ts";
import * as wire from "../client/wire.ts";
import { noise, random } from "../fixtures/bytes.ts";
import { type RawRequest, request } from "../fixtures/client-bytes.ts";
import { late, ram } from "../fixtures/ram.ts";
import { connected, dialled, expectSame, modes, RawClient, serving, transmitting } from "../fixtures/raw-client.ts";
import { letters, recorder } from "../fixtures/recorder.ts";
import { strict } from "../fixtures/strict.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Answers a request when the test says so: the requests by their offsets. */
function held(): { plugin: Plugin; answer(offset: number): void; fail(offset: number): void; arrived(count: number): Promise<void> } {
  const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  let changed = (): void => undefined;
  const wait = (offset: bigint): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.set(Number(offset), { resolve, reject });
      changed();
    });
  return {
    plugin: {
      name: "held",
      open: () => ({
        size: BigInt(MiB),
        read: async (target, offset) => {
          await wait(offset);
          target.fill(Number(offset / 512n));
        },
        write: (_source, offset) => wait(offset),
        trim: (offset) => wait(offset),
      }),
    },
    answer: (offset) => waiting.get(offset)?.resolve(),
    fail: (offset) => waiting.get(offset)?.reject(new DiskError("EIO", "no luck")),
    async arrived(count) {
      while (waiting.size < count) {
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    },
  };
}

describe.each(modes)("with %s replies,", (mode) => {
  it("requests are answered in the order in which the disk has done them", async () => {
    const { plugin, answer, fail, arrived } = held();
    const client = await transmitting(plugin, { mode });
    client.request(...[0, 512, 1024].map((offset) => ({ type: wire.READ, cookie: BigInt(offset), offset: BigInt(offset), length: 100n })));
    client.request({ type: wire.TRIM, cookie: 1536n, offset: 1536n, length: 512n });
    client.write(2048n, noise(10), { cookie: 2048n });
    await arrived(5);
    const data = (offset: number) => client.data(Buffer.alloc(100, offset / 512), BigInt(offset), BigInt(offset));
    answer(1024);
    await client.expect(data(1024));
    fail(1536);
    await client.expect(client.failed(5, "no luck", 1536n, 1536n));
    answer(2048);
    await client.expect(client.done(2048n, 2048n));
    answer(0);
    await client.expect(data(0));
    fail(512);
    await client.expect(client.failed(5, "no luck", 512n, 512n));
    await client.disconnect();
  });

  it("DISC waits for all of them", async () => {
    const { plugin, answer, arrived } = held();
    const client = await transmitting(plugin, { mode });
    client.request({ type: wire.TRIM, length: 1n }, { type: wire.TRIM, cookie: 2n, offset: 1n, length: 1n }, { type: wire.DISC });
    await arrived(2);
    answer(1);
    await client.expect(client.done(2n, 1n));
    answer(0);
    await client.expect(client.done(1n, 0n));
    await client.expectEnd();
  });
});

/** Now at once, now later: a filter's delays, but for every second request. */
function moody(plugin: Plugin, seed: number): Plugin {
  const next = random(seed);
  const soon = <T>(perform: () => T): T | Promise<T> => {
    const wait = next() % 4;
    if (wait < 2) return perform();
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(perform());
        } catch (error) {
          reject(error as Error);
        }
      };
      if (wait === 2) setImmediate(run);
      else setTimeout(run, next() % 3);
    });
  };
  return {
    ...plugin,
    open: async (request) => {
      const disk = (await plugin.open(request)) as Connection;
      return {
        ...disk,
        views: undefined as never,
        read: (target, offset) => soon(() => disk.read(target, offset)) as Promise<void>,
        // What was lent for a write is looked at as late as it may be.
        write: (source, offset, flags) => soon(() => disk.write?.(source, offset, flags)) as Promise<void>,
      };
    },
  };
}

/** Bytes of each of the regions that {@link mix} works on. */
const REGION = 2 * MiB;

/** Sizes on both sides of every size at which something is done another way. */
const sizes = [16 * KiB, 64 * KiB, 256 * KiB, MiB].flatMap((size) => [size - 40, size - 16, size - 1, size, size + 1, size + 4096]);
const small = [1, 13, 512, 4096, 4097, 9000];

/**
 * Reads and writes many ranges at the same time and compares what is read with what was written there last. No two requests under way overlap, so
 * that what must come back is known.
 */
async function mix(client: RawClient, seed: number, rounds: number): Promise<void> {
  const next = random(seed);
  const regions = Array.from({ length: 4 }, () => Buffer.alloc(REGION));
  for (let round = 0; round < rounds; round += 1) {
    const expected = new Map<bigint, Buffer | undefined>();
    for (const [index, region] of regions.entries()) {
      // Several disjoint requests in each region at the same time.
      let at = next() % 5000;
      for (let i = 0; i < 3; i += 1) {
        const pool = next() % 3 === 0 ? sizes : small;
        const length = pool[next() % pool.length] as number;
        if (at + length > REGION) break;
        const offset = BigInt(index * REGION + at);
        const cookie = (BigInt(round) << 16n) | BigInt(index * 16 + i);
        const fields: RawRequest = { type: wire.READ, cookie, offset, length: BigInt(length) };
        if (next() % 2 === 0) {
          const payload = noise(length, 1 + (next() % 250));
          payload.copy(region, at);
          client.write(offset, payload, { cookie });
          expected.set(cookie, undefined);
        } else {
          client.request(fields);
          expected.set(cookie, Buffer.from(region.subarray(at, at + length)));
        }
        at += length + (next() % 100);
      }
    }
    while (expected.size > 0) {
      const cookie = await answered(client);
      const bytes = expected.get(cookie);
      expect(expected.delete(cookie)).toBe(true);
      if (bytes !== undefined) expectSame(await client.read(bytes.length), bytes);
    }
  }
}

/** Hears a simple reply that tells of success; gives its cookie. */
async function answered(client: RawClient): Promise<bigint> {
  const header = await client.read(16);
  expect(header.readBigUInt64BE(0)).toBe(0x6744669800000000n);
  return header.readBigUInt64BE(8);
}

describe.each([1, 2, 3, 4])("reads and writes of many sizes at the same time (%i)", (seed) => {
  const content = () => ram(8 * MiB, { views: undefined as never });

  it.each<[string, (disk: Plugin) => Plugin, Plugin?]>([
    ["at once", (disk) => disk, ram(8 * MiB)],
    ["at once and without lending", (disk) => disk],
    ["later", (disk) => pipe(disk, late(2, seed))],
    ["now at once, now later", (disk) => moody(disk, seed)],
  ])("give back what was written, on a disk that answers %s", async (_how, answering, disk = content()) => {
    const watched = strict(disk);
    const server = await serving(answering(watched), { listen: true });
    const client = seed % 2 === 0 ? connected(server) : await dialled(server);
    await client.negotiate();
    await mix(client, seed, 8);
    await client.disconnect();
    client.stream.destroy();
    await server.close();
    expect(watched.violations).toEqual([]);
  });
});

it("several clients at once do not get each other's bytes", async () => {
  const server = await serving({ a: moody(ram(8 * MiB), 1), b: pipe(ram(8 * MiB), late(1)), c: ram(8 * MiB) }, { listen: true });
  await Promise.all(
    ["a", "b", "c"].map(async (exportName, index) => {
      const client = await dialled(server);
      await client.negotiate({ exportName });
      await mix(client, 100 + index, 6);
      await client.disconnect();
    }),
  );
});

it("a payload that the disk keeps until it answers is not changed meanwhile, whatever else arrives", async () => {
  const kept: { source: Uint8Array; fill: number }[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const plugin: Plugin = {
    name: "keeper",
    open: () => ({
      size: BigInt(64 * MiB),
      read: (target) => void target.fill(0xee),
      write(source, offset) {
        const fill = Number(offset % 251n);
        // The first few are answered at once, so that the server believes that all will be.
        if (kept.length === 0 && offset < 5n) return undefined;
        kept.push({ source, fill });
        return released;
      },
    }),
  };
  const client = await dialled(await serving(plugin, { listen: true }));
  await client.negotiate();
  const next = random(5);
  let count = 0;
  for (let i = 0; i < 60; i += 1) {
    const pool = i % 5 === 4 ? sizes.slice(0, 12) : small;
    const length = pool[next() % pool.length] as number;
    const offset = BigInt(i);
    client.write(offset, Buffer.alloc(length, Number(offset % 251n)), { cookie: BigInt(i) });
    if (i % 3 === 0) {
      client.request({ type: wire.READ, cookie: BigInt(1000 + i), length: 4096n });
      count += 1;
    }
  }
  // The reads and the writes that were answered at once.
  for (let left = count + 5; left > 0; left -= 1) {
    if ((await answered(client)) >= 1000n) expectSame(await client.read(4096), Buffer.alloc(4096, 0xee));
  }
  while (kept.length < 55) await new Promise((resolve) => setImmediate(resolve));
  for (const { source, fill } of kept) expect(source.every((byte) => byte === fill)).toBe(true);
  release();
  for (let left = 55; left > 0; left -= 1) await answered(client);
  await client.disconnect();
});

it("a stream in memory may deliver at once: a client that asks on while it is being answered is served in order", async () => {
  const disk = recorder(64 * MiB);
  const server = await serving(disk);
  const [ours, theirs] = duplexPair();
  void server.accept(theirs);
  const client = new RawClient(ours);
  await client.negotiate();
  const read = (cookie: number) => request({ type: wire.READ, cookie: BigInt(cookie), offset: BigInt(cookie), length: 65_536n });
  let asked = 100;
  // Within the write of the server's replies.
  ours.on("data", () => {
    if (asked < 300) client.send(read(asked++), read(asked++));
  });
  client.send(...Array.from({ length: 100 }, (_, cookie) => read(cookie)));
  const answered = new Set<bigint>();
  while (answered.size < 300) {
    const cookie = (await client.read(16)).readBigUInt64BE(8);
    expectSame(await client.read(65_536), Buffer.from(letters(new Uint8Array(65_536), cookie)));
    answered.add(cookie);
  }
  expect(disk.calls).toEqual(disk.calls.map((_, cookie) => `read ${cookie}+65536`));
  await client.disconnect();
});
