// A server that is started for us. It gets a socket that listens already (systemd's socket activation), so nobody has to wait until it is ready.

import { link, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../../common/child.ts";
import { DiskError, errorCode, errorText } from "../../contract/error.ts";
import { failAfter } from "../../contract/every-step.ts";

/** A server that runs. */
export interface RunningServer {
  /** Of its unix socket. */
  readonly path: string;
  /** Ends it, and answers an error with what it said, where it did. */
  explain(error: unknown): Promise<unknown>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** The first socket that is passed on is descriptor 3; the process that it is for says so itself, as only it knows its id before it is another. */
const ACTIVATE = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"';

/** Starts a server. */
export async function runServer(command: readonly [string, ...string[]]): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), "diskwright-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, "socket");
  try {
    const child = await listening(join(folder, "listening"), async (fd, listened) => {
      // Node.js removes the path of a socket that it closes; this one stays.
      await link(listened, path);
      return startChild("/bin/sh", ["-c", ACTIVATE, ...command], { descriptors: [fd] });
    });
    return {
      path,
      async explain(error) {
        await child.stop();
        const { stderr } = await child.ended;
        return stderr.trim() === "" ? error : new DiskError(errorCode(error), `${command[0]}: ${stderr.trim()}`, { cause: error });
      },
      async stop() {
        await child.stop();
        await remove();
      },
    };
  } catch (error) {
    return failAfter(new DiskError(errorCode(error), `cannot start ${command[0]}: ${errorText(error)}`, { cause: error }), remove);
  }
}

/** Listens on a path for as long as `use` takes, which gets the file descriptor. */
async function listening<T>(path: string, use: (fd: number, path: string) => Promise<T>): Promise<T> {
  const server: Server = createServer();
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(path, resolve));
  try {
    return await use((server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd, path);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
