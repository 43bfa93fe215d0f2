// What a server says of where it listens, and of where it cannot.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect, memory, serve } from "../../src/index.ts";

test.each(["0.0.0.0", "::"])("a server on all addresses (%s) has a URI that a client can use", async (host) => {
  await using server = await serve(memory("1M"), { host, port: 0 });
  expect(server.uri).toMatch(/^nbd:\/\/localhost:\d+\/$/);
  await using disk = await connect(server.uri as string);
  expect(disk.size).toBe(1048576n);
});

test("a port alone is one of this machine only", async () => {
  await using server = await serve(memory("1M"), { port: 0 });
  expect(server.address).toMatchObject({ transport: "tcp", host: "127.0.0.1" });
});

test("a unix path in a directory that is not there says so", async () => {
  const unix = join(tmpdir(), "diskwright-no-such-directory", "socket");
  await expect(serve(memory("1M"), { unix })).rejects.toThrow(/there is no directory .*diskwright-no-such-directory$/);
});
