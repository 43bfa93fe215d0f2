// Options of serve() that make no sense are refused before anything starts, in words that say which, what it was and what it may be.

import { describe, expect, it } from "vitest";
import { type ServeOptions, type Source, serve } from "../../src/server/index.ts";
import { ram } from "../fixtures/ram.ts";
import { strict } from "../fixtures/strict.ts";

async function refused(options: unknown, source: Source): Promise<string> {
  const error = await serve(source, options as ServeOptions).then(
    async (server) => {
      await server.close();
      return undefined;
    },
    (reason: unknown) => reason as Error,
  );
  expect(error).toSatisfy((thrown) => thrown instanceof TypeError || thrown instanceof RangeError);
  return error?.message ?? "";
}

describe("an option is refused", () => {
  it.each<[unknown, string | RegExp]>([
    [{ unix: "" }, 'unix "": the path of a unix socket has 1 to 107 bytes'],
    [{ unix: `/${"x".repeat(107)}` }, `unix "/${"x".repeat(107)}": the path of a unix socket has 1 to 107 bytes`],
    [{ unix: 5 }, "unix 5: expected a path, or true"],
    [{ port: -1 }, "port -1: expected a whole number from 0 to 65535"],
    [{ port: 65_536 }, "port 65536: expected a whole number from 0 to 65535"],
    [{ port: 1.5 }, "port 1.5: expected a whole number from 0 to 65535"],
    [{ port: "80" }, 'port "80": expected a whole number from 0 to 65535'],
    [{ host: "" }, 'host "": expected an address or a name'],
    [{ fd: -1 }, "fd -1: expected a whole number from 0 to 2147483647"],
    [{ stdio: 1 }, "stdio 1: expected a boolean"],
    [{ listen: null }, "listen null: expected a boolean"],
    [{ readonly: "yes" }, 'readonly "yes": expected a boolean'],
    [{ defaultExport: 1 }, "defaultExport 1: expected the name of an export"],
    [{ defaultExport: "x" }, 'defaultExport "x": a single plugin gets every name; serve({ name: plugin }) has a default'],
    [{ limits: 5 }, "limits 5: expected an object"],
    [{ signal: {} }, "signal [object Object]: expected an AbortSignal"],
    [{ busyPoll: -1 }, "busyPoll -1: expected a whole number from 0 to 1000000"],
    [{ socket: "/x" }, /^socket is not an option of serve\(\): there are unix, port, /],
    [{ unix: true, port: 0 }, "unix and port cannot be given together: a server listens in one place"],
    [{ fd: 3, stdio: true, host: "::1" }, "fd and stdio and host cannot be given together: a server listens in one place"],
    [{ listen: false, unix: true }, "listen: false cannot be given with unix"],
    [{ listen: false, port: 0 }, "listen: false cannot be given with port"],
  ])("%j", async (options, text) => {
    expect(await refused(options, ram(1))).toEqual(typeof text === "string" ? text : expect.stringMatching(text));
  });

  it.each<[object, string | RegExp]>([
    [{ handshakeTimeout: 0 }, "limits.handshakeTimeout 0: expected a whole number from 1 to 2147483647, or Infinity"],
    [{ handshakeTimeout: 2 ** 31 }, "limits.handshakeTimeout 2147483648: expected a whole number from 1 to 2147483647, or Infinity"],
    [{ options: 0 }, "limits.options 0: expected a whole number from 1 to 2147483648"],
    [{ options: Infinity }, "limits.options Infinity: expected a whole number from 1 to 2147483648"],
    [{ optionSize: 7 }, "limits.optionSize 7: expected a whole number from 8 to 16777216"],
    [{ connections: 0.5 }, "limits.connections 0.5: expected a whole number from 1, or Infinity"],
    [{ bytesInFlight: NaN }, "limits.bytesInFlight NaN: expected a whole number from 1, or Infinity"],
    [{ requestsInFlight: "8" }, "limits.requestsInFlight 8: expected a whole number from 1, or Infinity"],
    [{ payload: 65_535 }, "limits.payload 65535: expected a whole number from 65536 to 1073741824"],
    [{ read: 2 ** 30 + 1 }, "limits.read 1073741825: expected a whole number from 65536 to 1073741824"],
    [{ drain: 0 }, "limits.drain 0: expected a whole number from 65536 to 4294967296"],
    [{ conections: 5 }, /^limits.conections is not a limit: there are handshakeTimeout, /],
  ])("limits %j", async (limits, text) => {
    expect(await refused({ limits }, ram(1))).toEqual(typeof text === "string" ? text : expect.stringMatching(text));
  });

  it("before a plugin starts", async () => {
    const plugin = strict(ram(1));
    await refused({ port: -1 }, plugin);
    await refused({ limits: { options: 0 } }, plugin);
    expect(plugin.life).toEqual([]);
  });
});

describe("a source is refused", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "the source of serve() is not a plugin: it is undefined"],
    ["a text", "memory", "the source of serve() is not a plugin: it is string memory"],
    ["a promise of a plugin", Promise.resolve(ram(1)), "the source of serve() is not a plugin but a promise: await it"],
    ["a factory that was not called", ram, "the source of serve() is not a plugin: it is the function ram: was it to be called?"],
    ["a plugin without a name", { open: () => undefined }, "the source of serve() is not a plugin: it has no name"],
    ["an object of a class that cannot open", new (class Disk {})(), "the source of serve() is not a plugin: it has no open()"],
    ["a map with something else in it", { disk: "memory" }, 'export "disk" is not a plugin: it is string memory'],
    [
      "a plugin with an impossible concurrency",
      { ...ram(1), concurrency: "two" },
      "ram: concurrency two: expected parallel, connection or plugin",
    ],
  ])("%s", async (_what, source, text) => {
    expect(await refused({ listen: false }, source as Source)).toBe(text);
  });
});

it("an option that is there but undefined is one that is not there", async () => {
  const server = await serve(ram(1), { unix: undefined, port: undefined, limits: { read: undefined }, signal: undefined } as never);
  expect(server.address?.transport).toBe("unix");
  await server.close();
});

it("limits that may be lifted are", async () => {
  const limits = { handshakeTimeout: Infinity, connections: Infinity, bytesInFlight: Infinity, requestsInFlight: Infinity };
  const server = await serve(ram(1), { listen: false, limits });
  await server.close();
});
