// What a client leaves behind when it is gone: nothing.

import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { connect, listExports } from "../../src/client/index.ts";
import { fakeServer } from "./fake-server.ts";
import * as wire from "./wire.ts";

/** How many sockets and timers keep this process busy. */
function busy(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(Timeout|PipeWrap|PipeConnectWrap)$/.test(kind)).length;
}

/** Waits until no more are left than there were; the test runner has a few of its own, which come and go. */
async function settled(before: number): Promise<void> {
  while (busy() > before + 5) await new Promise((resolve) => setImmediate(resolve));
}

describe("after a hundred times", () => {
  it("connecting, reading and closing, no socket and no timer is left", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.negotiate();
      await client.serve();
    });
    const before = busy();
    for (let i = 0; i < 100; i += 1) {
      const disk = await connect(uri, { requestTimeout: 60_000 });
      await disk.read(new Uint8Array(10), 0n);
      await disk.close();
    }
    await settled(before);
  });

  it("being refused, none is left", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.greet();
      const { option } = await client.option();
      client.send(wire.optionReply(option, wire.POLICY));
      await client.gone();
      client.stream.end();
    });
    const before = busy();
    for (let i = 0; i < 100; i += 1) {
      await expect(listExports(uri)).rejects.toMatchObject({ code: "EACCES" });
      await expect(connect(uri, { replies: "simple" })).rejects.toMatchObject({ code: "EACCES" });
    }
    await settled(before);
  });

  it("using a signal, also over many connections, nobody listens to it any more", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.negotiate({ flags: wire.CAN_MULTI_CONN });
      await client.serve();
    });
    const { signal } = new AbortController();
    const listening = (): number => getEventListeners(signal, "abort").length;
    const disk = await connect(uri, { connections: 20, signal });
    expect(listening()).toBe(1);
    await disk.close();
    expect(listening()).toBe(0);
    await expect(connect(uri, { contexts: ["x-not:there"], signal })).rejects.toMatchObject({ code: "ENOTSUP" });
    await expect(listExports(uri, { signal })).rejects.toMatchObject({ code: "ENOTSUP" });
    expect(listening()).toBe(0);
  });

  it("meeting a broken server or losing interest, none is left, and nobody listens to the signal", async () => {
    const { uri } = await fakeServer(async (client, number) => {
      await client.negotiate({ flags: wire.CAN_MULTI_CONN });
      if (number % 2 === 0) client.send(Buffer.alloc(100));
      await client.gone();
      client.stream.end();
    });
    const before = busy();
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warn);
    const lasting = new AbortController();
    for (let i = 0; i < 50; i += 1) {
      const controller = new AbortController();
      const disk = await connect(uri, { signal: i % 2 === 0 ? lasting.signal : controller.signal, requestTimeout: 60_000 }).catch(
        () => undefined,
      );
      const reading = Promise.allSettled([(async () => disk?.read(new Uint8Array(1), 0n))()]);
      controller.abort();
      if (i % 2 === 0) await disk?.close().catch(() => undefined);
      await reading;
    }
    await settled(before);
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });
});
