// nbd-server, the reference implementation, running until the end of the test that started it.

import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { watch } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { Peer } from "../fixtures/peers.ts";
import { run } from "../fixtures/run.ts";
import { tree } from "../fixtures/tree.ts";

/** Starts nbd-server on a unix socket, with a section of its configuration for each export. It goes to the background, and is ended from there. */
export async function nbdServer(exports: Readonly<Record<string, Readonly<Record<string, string | boolean>>>>): Promise<Pick<Peer, "uri">> {
  const folder = tree();
  const [pid, config, path] = [join(folder, "pid"), join(folder, "config"), join(folder, "socket")];
  // It listens for TCP whatever it is told, and dies of port 0.
  const generic = { unixsock: path, listenaddr: "127.0.0.1", port: String(await freePort()), allowlist: true };
  const sections = Object.entries({ generic, ...exports }).map(
    ([name, keys]) =>
      `[${name}]\n${Object.entries(keys)
        .map(([key, value]) => `${key} = ${value}\n`)
        .join("")}`,
  );
  writeFileSync(config, sections.join(""));
  onTestFinished(() => {
    if (existsSync(pid)) process.kill(Number(readFileSync(pid, "utf8")));
  });
  await run("nbd-server", ["-C", config, "-p", pid]);
  await appears(pid);
  return { uri: (exportName = "") => `nbd+unix:///${encodeURIComponent(exportName)}?socket=${path}` };
}

async function appears(path: string): Promise<void> {
  const controller = new AbortController();
  const changes = watch(dirname(path), { signal: controller.signal });
  // The watch begins with the first wait for it, so what is there is looked at afterwards.
  const iterator = changes[Symbol.asyncIterator]();
  let next = iterator.next();
  while (!existsSync(path)) {
    const { value } = await next;
    next = iterator.next();
    if (value?.filename === basename(path)) break;
  }
  controller.abort();
  await next.catch(() => undefined);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
