import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { WriteBarrier } from "../../src/client/write-barrier.ts";
import { type FakeClient, type FakeRequest, fakeServer } from "./fake-server.ts";
import * as wire from "./wire.ts";

const flags = wire.CAN_MULTI_CONN | wire.SEND_FLUSH;

/** A server whose clients the test holds in its hands. */
async function handsOn(fake = {}): Promise<{ uri: string; clients: FakeClient[] }> {
  const clients: FakeClient[] = [];
  const { uri } = await fakeServer(async (client, number) => {
    clients[number] = client;
    await client.negotiate({ flags, ...fake });
  });
  return { uri, clients };
}

describe("several connections", () => {
  it("are used where the server says that they see the same disk", async () => {
    const served: number[] = [];
    const { uri, clients } = await fakeServer(async (client, number) => {
      await client.negotiate({ flags });
      served[number] = (await client.serve(7)).length;
    });
    const disk = await connect(uri, { connections: 4 });
    expect(clients()).toBe(4);
    expect(disk.negotiated.connections).toBe(4);
    expect(disk.capabilities.multiConn).toBe(true);
    await Promise.all(Array.from({ length: 40 }, (_, index) => disk.read(new Uint8Array(1), BigInt(index))));
    await disk.close();
    // Each took a quarter, and one leave.
    expect(served).toEqual([11, 11, 11, 11]);
  });

  it("are not used where it does not say so", async () => {
    const { uri, clients } = await fakeServer(async (client) => {
      await client.negotiate({ flags: wire.SEND_FLUSH });
      await client.serve();
    });
    await using disk = await connect(uri, { connections: 4 });
    expect(disk.negotiated.connections).toBe(1);
    expect(clients()).toBe(1);
  });

  it("share the pieces of a long request", async () => {
    const served: number[] = [];
    const { uri } = await fakeServer(async (client, number) => {
      await client.negotiate({ flags, infos: [wire.blockSizeInfo(1, 512, 4096)] });
      served[number] = (await client.serve(number + 1)).length;
    });
    const disk = await connect(uri, { connections: 2 });
    const target = Buffer.alloc(16 * 4096);
    await disk.read(target, 0n);
    await disk.close();
    expect(served).toEqual([9, 9]);
    expect(new Set(target)).toEqual(new Set([1, 2]));
  });

  it("pass over one that is busy", async () => {
    let busy: number | undefined;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { uri } = await fakeServer(async (client, number) => {
      await client.negotiate({ flags });
      const request = await client.request();
      busy ??= number;
      if (busy === number) await released;
      client.data(request, number);
      await client.serve(number);
    });
    const disk = await connect(uri, { connections: 2 });
    const target = new Uint8Array(1);
    const slow = disk.read(target, 0n);
    while (busy === undefined) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 4; i += 1) {
      const other = new Uint8Array(1);
      await disk.read(other, 0n);
      expect(other[0]).toBe(1 - busy);
    }
    release();
    await slow;
    expect(target[0]).toBe(busy);
    await disk.close();
  });

  it("flush after the writes before it have been answered, whichever connection they are on", async () => {
    const { uri, clients } = await handsOn();
    const disk = await connect(uri, { connections: 2 });
    const log: string[] = [];
    const writes: { client: FakeClient; request: FakeRequest }[] = [];
    let flushed = (): void => undefined;
    const flush = new Promise<void>((resolve) => {
      flushed = resolve;
    });
    for (const client of clients) {
      void (async () => {
        for (;;) {
          const request = await client.request();
          if (request.command === wire.DISC) return client.stream.end();
          log.push(request.command === wire.FLUSH ? "flush" : `write ${request.offset}`);
          if (request.command === wire.WRITE) writes.push({ client, request });
          else {
            client.done(request);
            flushed();
          }
        }
      })();
    }
    const answer = (offset: bigint): void => {
      const { client, request } = writes.find((write) => write.request.offset === offset) as (typeof writes)[0];
      client.done(request);
    };
    const first = disk.write(new Uint8Array(1), 1n);
    const second = disk.write(new Uint8Array(1), 2n);
    const flushing = disk.flush();
    const third = disk.write(new Uint8Array(1), 3n);
    while (writes.length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(log.toSorted()).toEqual(["write 1", "write 2", "write 3"]);
    answer(1n);
    await first;
    expect(log).not.toContain("flush");
    answer(2n);
    await Promise.all([second, flush, flushing]);
    // The write that was begun after the flush has not been waited for.
    answer(3n);
    await third;
    await disk.close();
  });

  it("fail together when one of them breaks", async () => {
    const { uri, clients } = await handsOn();
    const disk = await connect(uri, { connections: 3 });
    const reading = Promise.allSettled(Array.from({ length: 6 }, () => disk.read(new Uint8Array(1), 0n)));
    clients[1]?.stream.destroy();
    const outcomes = await reading;
    expect(outcomes).toHaveLength(6);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { message: "cannot read 1 bytes at 0: the server closed the connection" },
      });
    }
    await Promise.all(clients.map((client) => client.gone()));
    await expect(disk.write(new Uint8Array(1), 0n)).rejects.toMatchObject({ code: "ECONNRESET" });
    await disk.close();
  });

  it.each<[string, object, object]>([
    ["size", { size: 512n }, { size: 1024n }],
    ["flags", { flags: flags | wire.SEND_TRIM }, { flags }],
    ["mode", { replies: "structured" }, { replies: "simple" }],
    ["contexts", { contexts: ["base:allocation"] }, { contexts: [] }],
  ])("must show the same disk: %s", async (what, first, other) => {
    const gone: Promise<Buffer>[] = [];
    const { uri } = await fakeServer(async (client, number) => {
      await client.negotiate({ flags, ...(number === 0 ? first : other) });
      gone.push(client.gone());
      client.gone().then(() => client.stream.end());
    });
    await expect(connect(uri, { connections: 2 })).rejects.toMatchObject({
      code: "EPROTO",
      message: expect.stringContaining(`the connections to the server do not show the same disk: ${what}`),
    });
    await Promise.all(gone);
  });

  it("are all closed when one of them cannot be made", async () => {
    const gone: Promise<Buffer>[] = [];
    const { uri } = await fakeServer(async (client, number) => {
      if (number === 2) return client.stream.destroy();
      await client.negotiate({ flags });
      gone.push(client.gone());
      await client.serve();
    });
    await expect(connect(uri, { connections: 3 })).rejects.toMatchObject({ code: "ECONNRESET" });
    await Promise.all(gone);
  });
});

describe("WriteBarrier", () => {
  it("lets pass at once when no write is under way", async () => {
    const barrier = new WriteBarrier();
    await barrier.pass();
    await barrier.track(Promise.resolve());
    await barrier.pass();
  });

  it("waits for every write before it, also those that fail, and for none after it", async () => {
    const barrier = new WriteBarrier();
    const order: string[] = [];
    let finish = (): void => undefined;
    let fail = (): void => undefined;
    const one = barrier.track(new Promise<void>((resolve) => (finish = resolve)));
    const pass = barrier.pass().then(() => order.push("first pass"));
    const two = barrier.track(new Promise<void>((_, reject) => (fail = () => reject(new Error("disk full")))));
    const failed = expect(two).rejects.toThrow("disk full");
    const second = barrier.pass().then(() => order.push("second pass"));
    finish();
    await one;
    await pass;
    expect(order).toEqual(["first pass"]);
    fail();
    await failed;
    await second;
    expect(order).toEqual(["first pass", "second pass"]);
  });
});
