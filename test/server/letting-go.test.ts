// A plugin may ask the server to close, and let a client go.

import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { type Connection, filter, openDisk, pipe } from "../../src/contract/index.ts";
import type { OpenRequest, Plugin, StartContext } from "../../src/contract/plugin.ts";
import { serve } from "../../src/server/index.ts";
import { request } from "../fixtures/client-bytes.ts";
import { deferred } from "../fixtures/deferred.ts";
import { connected } from "../fixtures/raw-client.ts";
import { served } from "../fixtures/served.ts";

/** A disk that keeps what it was started and opened with, and whose reads do what the test says. */
function telling(read: (opened: OpenRequest) => void | Promise<void> = () => undefined) {
  const started: StartContext[] = [];
  const opened: OpenRequest[] = [];
  const closed: string[] = [];
  const plugin: Plugin = {
    name: "telling",
    start: (context) => void started.push(context),
    open(request): Connection {
      opened.push(request);
      return {
        size: 4096n,
        async read(target) {
          await read(request);
          target.fill(0x61);
        },
        close: () => void closed.push(request.exportName),
      };
    },
    close: () => void closed.push("plugin"),
  };
  return { plugin, started, opened, closed };
}

describe("shutdown()", () => {
  it("closes the server, once what is under way has been answered", async () => {
    const { plugin, started, closed } = telling(() => started[0]?.shutdown());
    const { server, uri } = await served("unix", plugin);
    const disk = await connect(uri);
    const target = new Uint8Array(512);
    await disk.read(target, 0n);
    expect(target[0]).toBe(0x61);
    await server.closed;
    expect(closed).toEqual(["", "plugin"]);
    await disk.close().catch(() => undefined);
  });

  it("reaches every server of the plugin, through filters and maps, and no other", async () => {
    const { plugin, started } = telling();
    const pass = filter("pass", () => ({}));
    const one = await served("unix", pipe(plugin, pass, pass));
    const two = await served("unix", { a: plugin, b: plugin });
    const other = await served("unix", telling().plugin);
    await two.server.remove("a");
    started[0]?.shutdown();
    await Promise.all([one.server.closed, two.server.closed]);
    expect(other.server.connections).toBe(0);
    await (await connect(other.uri)).close();
  });

  it("no longer reaches a server that has closed", async () => {
    const { plugin, started } = telling();
    const first = await serve(plugin);
    const second = await served("unix", plugin);
    await first.close();
    expect(started).toHaveLength(1);
    started[0]?.shutdown();
    await second.server.closed;
  });

  it("may be asked for before the server listens: serve() still answers, with a server that closes", async () => {
    const { plugin } = telling();
    const server = await serve({ ...plugin, start: ({ shutdown }: StartContext) => shutdown() });
    await server.closed;
  });

  it("does nothing to a disk that is open in process", async () => {
    const { plugin, started } = telling();
    const disk = await openDisk(plugin);
    started[0]?.shutdown();
    await disk.read(new Uint8Array(1), 0n);
    await disk.close();
  });
});

describe("disconnect()", () => {
  it("lets the client go after the answers to what it has asked for", async () => {
    const held = deferred();
    const asked = deferred();
    let reads = 0;
    const { plugin, opened, closed } = telling(() => {
      reads += 1;
      if (reads === 2) asked.resolve();
      return held.promise;
    });
    const { server } = await served("unix", plugin);
    const client = connected(server);
    await client.negotiate();
    client.send(request({ type: 0, length: 4n }), request({ type: 0, length: 4n, cookie: 2n }));
    await asked.promise;
    opened[0]?.disconnect();
    client.send(request({ type: 0, length: 4n, cookie: 3n }));
    held.resolve();
    // Two simple replies of a header of 16 bytes and 4 bytes of content, and the end.
    expect((await client.rest()).length).toBe(2 * 20);
    await server.close();
    expect(closed).toEqual(["", "plugin"]);
  });

  it("immediately: without them", async () => {
    const { plugin, closed } = telling(({ disconnect }) => disconnect({ immediately: true }));
    const { server, uri } = await served("unix", plugin);
    const disk = await connect(uri);
    await expect(disk.read(new Uint8Array(4), 0n)).rejects.toThrow(/closed|ended|lost/);
    await disk.close().catch(() => undefined);
    await (await connect(uri)).close();
    await server.close();
    expect(closed).toEqual(["", "", "plugin"]);
  });

  it("in the midst of opening drops the client, and closes what was opened", async () => {
    const { plugin, closed } = telling();
    const dropping: Plugin = {
      ...plugin,
      open(request) {
        request.disconnect();
        return plugin.open(request);
      },
    };
    const { server, uri } = await served("unix", dropping);
    await expect(connect(uri)).rejects.toThrow();
    await server.close();
    expect(closed).toEqual(["", "plugin"]);
  });

  it("immediately, in process: aborts the disk's signal", async () => {
    const { plugin, opened } = telling();
    const disk = await openDisk(plugin);
    opened[0]?.disconnect();
    expect(opened[0]?.signal.aborted).toBe(false);
    opened[0]?.disconnect({ immediately: true });
    expect(opened[0]?.signal.aborted).toBe(true);
    await disk.close();
  });
});
