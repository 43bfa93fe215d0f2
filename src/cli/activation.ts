// Socket activation: listening sockets that systemd, or whoever started us, passes as file descriptors from 3 (sd_listen_fds(3)).

import { fstatSync } from "node:fs";
import { createServer, type Server as Listener, type Socket } from "node:net";
import { errorText } from "../contract/error.ts";
import type { Peer, Server } from "../index.ts";
import { complain, type Host } from "./host.ts";

const FIRST_FD = 3;
const MOST_FDS = 16;

/**
 * Takes the sockets that were passed to this process, and the variables that say so out of the environment.
 *
 * @returns the file descriptors; none where there is no socket activation, or it was meant for another process
 * @throws when the variables or the file descriptors are not what they should be
 */
export function activatedSockets(host: Host): readonly number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = host.env;
  if (pid === undefined || count === undefined) return [];
  if (pid !== String(host.pid)) {
    complain(host, `LISTEN_PID=${pid} was not for us, process ${host.pid} (ignored)`);
    return [];
  }
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete host.env[name];
  const sockets = /^\d+$/.test(count) ? Number(count) : Number.NaN;
  if (!(sockets >= 1 && sockets <= MOST_FDS))
    throw new Error(`socket activation: LISTEN_FDS=${count} out of range: expected 1 to ${MOST_FDS}`);
  const fds = Array.from({ length: sockets }, (_, index) => FIRST_FD + index);
  for (const fd of fds) checkSocket(fd);
  return fds;
}

function checkSocket(fd: number): void {
  let isSocket: boolean;
  try {
    isSocket = fstatSync(fd).isSocket();
  } catch (error) {
    throw new Error(`socket activation: invalid file descriptor fd = ${fd}: ${errorText(error)}`);
  }
  if (!isSocket) throw new Error(`socket activation: file descriptor ${fd} is no socket`);
}

/**
 * Brings the clients of further sockets to a server, which itself listens on one. Answers with what stops that.
 *
 * @param failed - told what goes wrong when a client leaves
 */
export async function listenOnMore(server: Server, fds: readonly number[], failed: (text: string) => void): Promise<() => void> {
  const listeners: Listener[] = [];
  const stop = (): void => {
    for (const listener of listeners) listener.close();
  };
  try {
    for (const fd of fds) {
      const listener = createServer((socket) => {
        server.accept(socket, peerOf(socket)).catch((error: unknown) => failed(errorText(error)));
      });
      listeners.push(listener);
      await new Promise<void>((resolve, reject) => {
        listener.once("error", reject);
        listener.listen({ fd }, resolve);
      });
    }
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

function peerOf(socket: Socket): Peer {
  const { remoteAddress: address, remotePort: port } = socket;
  return address === undefined || port === undefined ? { transport: "unix" } : { transport: "tcp", address, port };
}
