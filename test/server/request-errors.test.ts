// What an app hears of requests that fail, whatever the client is told.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, expect, test } from "vitest";
import { connect, type Plugin, type RequestEvent, serve } from "../../src/index.ts";

const events: RequestEvent[] = [];
const listener = (event: unknown): void => void events.push(event as RequestEvent);
afterEach(() => {
  unsubscribe("diskwright:server.request.error", listener);
  events.length = 0;
});

const secretive = (later: boolean): Plugin => ({
  name: "secretive",
  open: () => ({
    size: 4096n,
    read() {
      const error = Object.assign(new Error("no route to vault.internal"), { code: "EIO" });
      if (later) return Promise.reject(error);
      throw error;
    },
  }),
});

test.each([false, true])("its own text, which the client does not get to see (later: %s)", async (later) => {
  subscribe("diskwright:server.request.error", listener);
  await using server = await serve(secretive(later));
  await using disk = await connect(server.uri as string);
  const refused = await Promise.resolve(disk.read(new Uint8Array(512), 1024n)).catch((error: Error) => error);
  expect(refused).toMatchObject({ code: "EIO" });
  expect((refused as Error).message).not.toContain("vault.internal");
  expect(events).toMatchObject([
    { command: "read", offset: 1024n, length: 512n, error: expect.objectContaining({ message: "no route to vault.internal" }) },
  ]);
});
