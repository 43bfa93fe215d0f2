// The control socket: `p` pauses and is answered `P` when nothing is under way, `r` resumes and is answered `R`, anything else `X`.

import { rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import type { Gatekeeper } from "./gatekeeper.ts";

/** A control socket that is listened on. */
export interface Control {
  close(): Promise<void>;
}

/** Listens on a unix socket. One that nobody listens on any more is replaced. */
export async function listenForControl(path: string, keeper: Gatekeeper): Promise<Control> {
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket);
    // Whoever sends commands may go without waiting for the answers.
    void obey(socket, keeper)
      .catch(() => undefined)
      .finally(() => {
        clients.delete(socket);
        socket.destroy();
      });
  });
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
  try {
    await listen();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || !(await abandoned(path))) throw error;
    await rm(path);
    await listen();
  }
  return {
    close() {
      for (const socket of clients) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function obey(socket: Socket, keeper: Gatekeeper): Promise<void> {
  for await (const chunk of socket) {
    for (const command of String(chunk)) {
      if (/\s/.test(command)) continue;
      if (command === "p") await keeper.stop();
      if (command === "r") keeper.resume();
      socket.write(command === "p" ? "P" : command === "r" ? "R" : "X");
    }
  }
}

/** Whether there is a socket that nobody listens on. */
function abandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
