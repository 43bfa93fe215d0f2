// Real NBD servers, each running until the end of the test that started it.

import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { watch } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type Running, run, start } from "../fixtures/run.ts";
import type { Reach } from "../fixtures/served.ts";
import { tree } from "../fixtures/tree.ts";

/** A server and how its exports are reached. */
export interface RealServer {
  readonly running: Running;
  uri(exportName?: string): string;
}

/** Starts nbdkit with these arguments: options, plugin and keys. */
export function nbdkit(reach: Reach, ...args: readonly string[]): Promise<RealServer> {
  return startServer("nbdkit", reach, (pid, { path, port }) => [
    "--foreground",
    "--exit-with-parent",
    "--pidfile",
    pid,
    ...(path === undefined ? ["--ipaddr", "127.0.0.1", "--port", String(port)] : ["--unix", path]),
    ...args,
  ]);
}

/** Starts qemu-nbd with these arguments: options and an image. */
export function qemuNbd(reach: Reach, ...args: readonly string[]): Promise<RealServer> {
  return startServer("qemu-nbd", reach, (pid, { path, port }) => [
    "--persistent",
    "--shared=10",
    `--pid-file=${pid}`,
    ...(path === undefined ? ["--bind=127.0.0.1", `--port=${port}`] : [`--socket=${path}`]),
    ...args,
  ]);
}

/** Starts nbd-server on a unix socket, with a section of its configuration for each export. It goes to the background, and is ended from there. */
export async function nbdServer(
  exports: Readonly<Record<string, Readonly<Record<string, string | boolean>>>>,
): Promise<Pick<RealServer, "uri">> {
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

interface Place {
  readonly path?: string;
  readonly port?: number;
}

/** Starts a server that writes a pid file when it is ready. */
async function startServer(program: string, reach: Reach, args: (pid: string, place: Place) => string[]): Promise<RealServer> {
  const folder = tree();
  const pid = join(folder, "pid");
  const place = reach === "unix" ? { path: join(folder, "socket") } : { port: await freePort() };
  const ready = appears(pid);
  const running = start(program, args(pid, place));
  const early = running.ended.then(({ stderr, status }) => {
    throw new Error(`${program} ended with ${status} before it served: ${stderr}`);
  });
  await Promise.race([ready, early]);
  early.catch(() => undefined);
  const name = (exportName: string): string => encodeURIComponent(exportName);
  return {
    running,
    uri: (exportName = "") =>
      reach === "unix" ? `nbd+unix:///${name(exportName)}?socket=${place.path}` : `nbd://127.0.0.1:${place.port}/${name(exportName)}`,
  };
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
