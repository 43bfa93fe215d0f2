// The limit filter.

import { createConnection } from "node:net";
import { describe, expect, it, test } from "vitest";
import { connect, limit, listExports, memory, openDisk, type Plugin, pipe } from "../../src/index.ts";
import { testFilter } from "../../src/testing/index.ts";
import { served } from "../fixtures/served.ts";

/** The path of the server's socket. */
const pathOf = (uri: string): string => new URL(uri).searchParams.get("socket") as string;

/** A client that says nothing: settles with what it hears, when the server hangs up or greets it. */
function silent(path: string): { readonly greeted: Promise<boolean>; leave(): void } {
  const socket = createConnection(path);
  const greeted = new Promise<boolean>((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("error", () => resolve(false)).once("close", () => resolve(false));
  });
  return { greeted, leave: () => socket.destroy() };
}

/** Tries until it works: the server notices in its own time that a client has left. */
async function eventually<T>(perform: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await perform();
    } catch (error) {
      if (tries === 500) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe("limit", () => {
  testFilter({ test, filter: () => limit({ limit: 100 }), transparent: true });

  it("lets in one client at a time", async () => {
    const { uri } = await served("unix", pipe(memory(512), limit()));
    const first = await connect(uri);
    await expect(connect(uri)).rejects.toThrow();
    await expect(listExports(uri)).rejects.toThrow();
    await first.close();
    await (await eventually(() => connect(uri))).close();
  });

  it("lets in so many clients", async () => {
    const { uri } = await served("unix", pipe(memory(512), limit({ limit: 2 })));
    const clients = [await connect(uri), await connect(uri)];
    await expect(connect(uri)).rejects.toThrow();
    for (const client of clients) await client.close();
  });

  it("lets in any number when told 0", async () => {
    const { uri } = await served("unix", pipe(memory(512), limit({ limit: 0 })));
    const clients = await Promise.all([1, 2, 3].map(() => connect(uri)));
    for (const client of clients) await client.close();
  });

  it("sends nothing to who is dropped", async () => {
    const { uri } = await served("unix", pipe(memory(512), limit()));
    const client = await connect(uri);
    expect(await silent(pathOf(uri)).greeted).toBe(false);
    await client.close();
  });

  it("counts who only negotiates, until that one leaves", async () => {
    const { uri } = await served("unix", pipe(memory(512), limit()));
    const waiting = silent(pathOf(uri));
    expect(await waiting.greeted).toBe(true);
    await expect(connect(uri)).rejects.toThrow();
    waiting.leave();
    await (await eventually(() => connect(uri))).close();
  });

  it("gives back the place of who is refused by the layers below, or finds no export", async () => {
    let refuse = true;
    const below: Plugin = {
      ...memory(512),
      name: "picky",
      open: (request) => {
        if (refuse) throw new Error("not today");
        return memory(512).open(request);
      },
    };
    const { uri } = await served("unix", pipe(below, limit()));
    await expect(connect(uri)).rejects.toThrow();
    await expect(eventually(() => listExports(uri))).resolves.toHaveLength(1);
    refuse = false;
    await (await eventually(() => connect(uri))).close();
  });

  it("keeps the place until the disk is closed", async () => {
    let finish!: () => void;
    const closing = new Promise<void>((resolve) => (finish = resolve));
    let closed = false;
    const below: Plugin = {
      name: "slow",
      open: () => ({
        size: 512n,
        read: () => undefined,
        async close() {
          closed = true;
          await closing;
        },
      }),
    };
    const { uri } = await served("unix", pipe(below, limit()));
    await (await connect(uri)).close();
    while (!closed) await new Promise((resolve) => setImmediate(resolve));
    await expect(connect(uri)).rejects.toThrow();
    finish();
    await (await eventually(() => connect(uri))).close();
  });

  it("counts disks that are opened in process, too", async () => {
    const plugin = pipe(memory(512), limit());
    const disk = await openDisk(plugin);
    await expect(openDisk(plugin)).rejects.toThrow("there are 1 clients already");
    await disk.close();
    await (await openDisk(plugin)).close();
  });

  it("does not count the app that lists its own exports", async () => {
    const { server, uri } = await served("unix", pipe(memory(512), limit()));
    const client = await connect(uri);
    expect(await server.exports()).toHaveLength(1);
    await client.close();
  });

  it.each([-1, 1.5, Number.NaN, "2"])("refuses %j", (value) =>
    expect(() => limit({ limit: value as number })).toThrow(/^limit .*: expected a whole number of clients/),
  );
});
