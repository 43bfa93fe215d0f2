// What a server tells about itself: events on channels of node:diagnostics_channel, at no cost while nobody listens.

import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DiskError } from "../../src/contract/index.ts";
import type { ConnectionEvent, ErrorEvent, RequestEvent } from "../../src/server/index.ts";
import * as wire from "../client/wire.ts";
import { turn } from "../contract/fixtures.ts";
import { runChild } from "../fixtures/child.ts";
import { infoQuery, option } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { connected, type RawClient, serving } from "../fixtures/raw-client.ts";
import { recorder } from "../fixtures/recorder.ts";

const names = ["connection.open", "connection.close", "request.start", "request.end", "request.error", "error"].map(
  (name) => `diskwright:server.${name}`,
);

/** Listens to a channel until the end of the test. */
function events<T>(name: string): T[] {
  const heard: T[] = [];
  const listen = (event: unknown): void => void heard.push(event as T);
  subscribe(`diskwright:server.${name}`, listen);
  onTestFinished(() => void unsubscribe(`diskwright:server.${name}`, listen));
  return heard;
}

/** Hangs up, and waits until the server has noticed. */
async function left(client: RawClient, closed: readonly unknown[], count = 1): Promise<void> {
  client.stream.destroy();
  while (closed.length < count) await turn();
}

describe("a connection", () => {
  it("is told of when it opens and when it is over, with the export that was chosen", async () => {
    const opened = events<ConnectionEvent>("connection.open");
    const closed = events<ConnectionEvent>("connection.close");
    const server = await serving({ disk: ram(1) });
    for (const exportName of ["disk", ""]) {
      const client = connected(server);
      await client.negotiate({ exportName });
      await client.disconnect();
      await left(client, closed, exportName === "disk" ? 1 : 2);
    }
    const peer = { transport: "stream" };
    expect(opened).toEqual([1, 2].map((connection) => ({ connection, peer, exportName: undefined })));
    expect(closed).toEqual([1, 2].map((connection) => ({ connection, peer, exportName: "disk" })));
  });

  it.each<[string, string, (client: RawClient) => Promise<void>]>([
    ["leaves in the handshake", "the client left during the handshake", async (client) => client.greet()],
    [
      "sends no option",
      "an option without its magic: the client does not speak newstyle NBD",
      async (client) => {
        await client.greet();
        client.send("GET / HTTP/1.1\r\n\r\n");
        await client.rest();
      },
    ],
    [
      "sends no request",
      "a request that starts with 0x47455420 instead of 0x25609513",
      async (client) => {
        await client.negotiate();
        client.send("GET / HTTP/1.1\r\n\r\n");
        await client.rest();
      },
    ],
    [
      "leaves in the middle of a request",
      "the client left in the middle of a request",
      async (client) => {
        await client.negotiate();
        client.send(wire.u32(0x25609513));
      },
    ],
    [
      "asks the oldest way for what there is not",
      'there is no export "x"',
      async (client) => {
        await client.greet();
        client.send(option(wire.EXPORT_NAME, "x"));
        await client.rest();
      },
    ],
  ])("is over for a reason when the client %s", async (_how, reason, behave) => {
    const closed = events<ConnectionEvent>("connection.close");
    const client = connected(await serving({ a: ram(1), "": ram(1) }));
    await behave(client);
    await left(client, closed);
    expect(closed[0]?.reason).toBe(reason);
  });

  it.each<[string, (client: RawClient) => Promise<void>]>([
    ["DISC", (client) => client.negotiate().then(() => client.disconnect())],
    ["ABORT", (client) => client.greet().then(async () => void (await client.ask(wire.ABORT)))],
    ["the end of what it sends", async (client) => void (await client.negotiate())],
  ])("is over without one when the client takes leave with %s", async (_how, behave) => {
    const closed = events<ConnectionEvent>("connection.close");
    const client = connected(await serving(ram(1)));
    await behave(client);
    await left(client, closed);
    expect(closed).toEqual([expect.not.objectContaining({ reason: expect.anything() })]);
  });

  it("that the plugin refuses is told of too", async () => {
    const opened = events<ConnectionEvent>("connection.open");
    const closed = events<ConnectionEvent>("connection.close");
    const client = connected(await serving({ ...ram(1), preconnect: () => Promise.reject(new Error("not on Sundays")) }));
    await client.expectEnd();
    await left(client, closed);
    expect(opened).toHaveLength(1);
    expect(closed[0]?.reason).toBe("the plugin refused the client: not on Sundays");
  });

  it("that takes too long is told of too", async () => {
    const closed = events<ConnectionEvent>("connection.close");
    const client = connected(await serving(ram(1), { limits: { handshakeTimeout: 20 } }));
    await client.rest();
    await left(client, closed);
    expect(closed[0]?.reason).toBe("no export was agreed on within 20 ms");
  });
});

describe("a request", () => {
  it.each(["at once", "later"] as const)("is told of before it begins and once it is answered: %s", async (answers) => {
    const started = events<RequestEvent>("request.start");
    const ended = events<RequestEvent>("request.end");
    const client = connected(await serving(recorder(2n ** 63n - 1n, answers)));
    await client.negotiate({ mode: "extended", contexts: ["base:allocation"] });
    client.request({ type: wire.READ, cookie: 0xabcn, offset: 1n, length: 2n });
    await client.read(32 + 8 + 2);
    client.write(3n, Buffer.alloc(4), { flags: wire.FUA });
    client.request({ type: wire.FLUSH });
    client.request({ type: wire.TRIM, length: 2n ** 63n - 1n });
    client.request({ type: wire.CACHE, length: 8n }, { type: wire.ZERO, flags: wire.NO_HOLE, length: 9n });
    await client.read(5 * 32);
    client.request({ type: wire.BLOCK_STATUS, length: 10n });
    await client.read(32 + 8 + 16);
    client.request({ type: 99, cookie: 2n ** 64n - 1n });
    await client.error(2n ** 64n - 1n);
    await client.disconnect();
    const event = (command: string, flags: number, offset: bigint, length: bigint, cookie = "0000000000000001") => ({
      connection: 1,
      command,
      flags,
      cookie,
      offset,
      length,
    });
    const all = [
      event("read", 0, 1n, 2n, "0000000000000abc"),
      event("write", 0x21, 3n, 4n),
      event("flush", 0, 0n, 0n),
      event("trim", 0, 0n, 2n ** 63n - 1n),
      event("cache", 0, 0n, 8n),
      event("write_zeroes", 2, 0n, 9n),
      event("block_status", 0, 0n, 10n),
      event("99", 0, 0n, 0n, "ffffffffffffffff"),
      event("disc", 0, 0n, 0n, "0000000000000000"),
    ];
    expect(started).toEqual(all);
    const unknown = { ...all[7], error: expect.objectContaining({ code: "EINVAL" }) };
    expect(ended).toEqual([...all.slice(0, 7), unknown, all[8]]);
  });

  it.each(["at once", "later"] as const)("is told of with what went wrong: %s", async (when) => {
    const ended = events<RequestEvent>("request.end");
    const error = new DiskError("EIO", "worn out");
    const read = (): never | Promise<never> => {
      if (when === "later") return Promise.reject(error);
      throw error;
    };
    const client = connected(await serving(recorder(4096, "at once", { read })));
    await client.negotiate();
    client.request({ type: wire.READ, length: 1n });
    await client.error();
    expect(ended.map((event) => event.error)).toEqual([error]);
  });

  it("is told of when its payload was refused", async () => {
    const started = events<RequestEvent>("request.start");
    const ended = events<RequestEvent>("request.end");
    const client = connected(await serving(ram(4096), { readonly: true }));
    await client.negotiate();
    client.write(0n, Buffer.alloc(100_000));
    await client.error();
    expect(started).toHaveLength(1);
    expect(ended).toEqual([{ ...started[0], error: expect.objectContaining({ code: "EPERM" }) }]);
  });
});

describe("a request that fails", () => {
  it.each(["at once", "later"] as const)(
    "is told of on a channel of its own, with the error that the client may not see: %s",
    async (when) => {
      const failed = events<RequestEvent>("request.error");
      const error = new Error("connect ECONNREFUSED 10.1.2.3:9000");
      const read = (): never | Promise<never> => {
        if (when === "later") return Promise.reject(error);
        throw error;
      };
      const client = connected(await serving(recorder(4096, "at once", { read })));
      await client.negotiate();
      client.request({ type: wire.READ, cookie: 0xdn, offset: 3n, length: 1n });
      await client.error(0xdn);
      client.request({ type: wire.TRIM, length: 1n });
      await client.read(16);
      const event = { connection: 1, command: "read", flags: 0, cookie: "000000000000000d", offset: 3n, length: 1n, error };
      expect(failed).toEqual([event]);
    },
  );

  it("is told of there when its payload was refused", async () => {
    const failed = events<RequestEvent>("request.error");
    const client = connected(await serving(ram(4096), { readonly: true }));
    await client.negotiate();
    client.write(0n, Buffer.alloc(100_000));
    await client.error();
    expect(failed.map(({ command, error }) => [command, error])).toEqual([["write", expect.objectContaining({ code: "EPERM" })]]);
  });
});

it("an error in opening whose text the client is not shown is told to the app", async () => {
  const errors = events<ErrorEvent>("error");
  const error = new Error("no route to the array");
  const client = connected(await serving({ name: "far", open: () => Promise.reject(error) }));
  await client.greet();
  await client.ask(wire.GO, infoQuery("x"));
  expect(errors).toEqual([{ connection: 1, during: 'opening export "x"', error }]);
});

it("nothing is published while nobody listens", async () => {
  const publish = vi.spyOn(Object.getPrototypeOf(channel("diskwright:server.error")) as { publish(event: unknown): void }, "publish");
  onTestFinished(() => publish.mockRestore());
  const client = connected(await serving(recorder(4096, "later")));
  await client.negotiate();
  client.request({ type: wire.READ, length: 1n }, { type: 99 });
  await client.read(16 + 17);
  await client.disconnect();
  expect(names.map((name) => channel(name).hasSubscribers)).toEqual(names.map(() => false));
  expect(publish).not.toHaveBeenCalled();
});

describe("NODE_DEBUG=diskwright", () => {
  it("prints connections, requests and errors", async () => {
    const { stdout, stderr } = await runChild("server/children/talkative.ts", { env: { NODE_DEBUG: "diskwright" } });
    expect(stdout).toBe("");
    const lines = stderr.split("\n").map((line) => line.replace(/^DISKWRIGHT \d+: /, ""));
    expect(lines).toEqual(
      expect.arrayContaining([
        'connection 1 from {"transport":"stream"}',
        "connection 1: read flags=0 offset=512n length=1024n ok",
        "connection 1: trim flags=0 offset=0n length=512n DiskError: worn out",
        "connection 1: flush flags=1 offset=0n length=0n Error: lost the key",
        "connection 1: disc flags=0 offset=0n length=0n ok",
        'connection 1 is over, export "disk"',
      ]),
    );
  });

  it("unset prints nothing", async () => {
    const { stdout, stderr } = await runChild("server/children/talkative.ts", { env: { NODE_DEBUG: "" } });
    expect(stdout + stderr).toBe("");
  });
});
