// Listening: on a unix path, a private unix socket, TCP, or an inherited socket.

import { lstat, mkdtemp, rm, stat } from "node:fs/promises";
import { createConnection, createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Peer } from "../contract/plugin.ts";
import { reportError } from "./diagnostics.ts";
import type { Address, ServeOptions } from "./options.ts";
import { unixPeer } from "./peer.ts";

/** A listening socket. */
export interface Listener {
  /** Absent where an inherited unix socket does not tell its path. */
  readonly address: Address | undefined;
  /** Takes no more clients and removes what was made for listening. */
  close(): Promise<void>;
}

/** Listens as the options say and hands each client on, before anything is read from it. */
export async function listen(options: ServeOptions, onClient: (socket: Socket, peer: Peer) => void): Promise<Listener> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
  let unix = false;
  server.on("connection", (socket) => {
    if (unix) return onClient(socket, unixPeer(socket));
    const { remoteAddress: address, remotePort: port } = socket;
    // Such a client has left already. It is not to pass for one of a unix socket, which a plugin might let in unseen.
    if (address === undefined || port === undefined) return void socket.destroy();
    onClient(socket, { transport: "tcp", address, port });
  });
  const place = await placeOf(options);
  unix = place.path !== undefined;
  try {
    if (place.path !== undefined) await removeStale(place.path);
    await listening(server, place.listenOn);
  } catch (error) {
    await place.remove();
    throw error;
  }
  // Accepting may fail later, as when there are no more file descriptors: the next client may have more luck.
  server.on("error", (error) => reportError({ during: "accepting a client", error }));
  const address = addressOf(server);
  unix = address === undefined || address.transport === "unix";
  return {
    address,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      await place.remove();
      await closed;
    },
  };
}

interface Place {
  /** What `server.listen` is given. */
  readonly listenOn: { path: string } | { host: string; port: number } | { fd: number };
  readonly path?: string;
  /** Removes what was made; Node itself removes a unix socket that it listens on. */
  remove(): Promise<void>;
}

async function placeOf({ unix, host, port, fd }: ServeOptions): Promise<Place> {
  const nothing = async (): Promise<void> => undefined;
  if (fd !== undefined) return { listenOn: { fd }, remove: nothing };
  if (typeof unix === "string") return { listenOn: { path: unix }, path: unix, remove: nothing };
  if (host !== undefined || port !== undefined || process.platform === "win32") {
    return { listenOn: { host: host ?? "127.0.0.1", port: port ?? (host === undefined ? 0 : 10809) }, remove: nothing };
  }
  const directory = await mkdtemp(join(tmpdir(), "diskwright-"));
  const path = join(directory, "socket");
  return { listenOn: { path }, path, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** Removes a socket that nobody listens on any more, as a killed server leaves it. */
async function removeStale(path: string): Promise<void> {
  const code = await new Promise<string | undefined>((answer) => {
    const probe = createConnection(path);
    probe.once("connect", () => {
      probe.destroy();
      answer(undefined);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => answer(error.code));
  });
  if (code === "ENOENT") return checkDirectory(path);
  if (code === "ECONNREFUSED") {
    // What is no socket refuses too: it is somebody's file.
    if ((await lstat(path)).isSocket()) return rm(path);
    throw Object.assign(new Error(`unix ${JSON.stringify(path)}: there is a file that is no socket`), { code: "EADDRINUSE" });
  }
  if (code === undefined)
    throw Object.assign(new Error(`unix ${JSON.stringify(path)}: another server listens there`), { code: "EADDRINUSE" });
  throw Object.assign(new Error(`unix ${JSON.stringify(path)}: cannot listen there (${code})`), { code });
}

/** Node calls a missing directory a matter of permission. */
async function checkDirectory(path: string): Promise<void> {
  const directory = dirname(resolve(path));
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw Object.assign(new Error(`unix ${JSON.stringify(path)}: there is no directory ${directory}`), { code: "ENOENT" });
}

function listening(server: NetServer, where: Place["listenOn"]): Promise<void> {
  return new Promise((done, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog: 4096 } as never, () => {
      server.off("error", reject);
      done();
    });
  });
}

function addressOf(server: NetServer): Address | undefined {
  const address = server.address();
  if (typeof address === "string") return { transport: "unix", path: address };
  return address === null || address.port === undefined ? undefined : { transport: "tcp", host: address.address, port: address.port };
}
