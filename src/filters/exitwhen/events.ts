// Events outside of the process, which are looked for now and then.

import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { runChild } from "../../common/child.ts";
import { DiskError, errorText } from "../../contract/error.ts";

/** Something that may happen. */
export interface Event {
  /** Begins to watch out. `tell` may be called as soon as it has happened. */
  start?(tell: () => void): void;
  /** Whether it has happened. Throws, or rejects, when that cannot be found out. */
  happened(signal: AbortSignal): boolean | Promise<boolean>;
  stop?(): void;
}

export function fileCreated(path: string): Event {
  return { happened: () => existsSync(path) };
}

export function fileDeleted(path: string): Event {
  return { happened: () => !existsSync(path) };
}

/** What comes through the pipe is thrown away: only so the system tells of its end at once. */
export function pipeClosed(fd: number): Event {
  let socket: Socket | undefined;
  let closed = false;
  // Several disks may wait for it, and a descriptor can be listened to once.
  let users = 0;
  const tells = new Set<() => void>();
  return {
    start(tell) {
      socket ??= closed ? undefined : open();
      users += 1;
      tells.add(tell);
    },
    happened: () => closed,
    stop() {
      users = Math.max(0, users - 1);
      if (users > 0) return;
      tells.clear();
      // That we close it is no news.
      socket?.removeAllListeners("close").removeAllListeners("end").destroy();
      socket = undefined;
    },
  };

  function open(): Socket {
    let pipe: Socket;
    try {
      pipe = new Socket({ fd, readable: true, writable: false });
    } catch (error) {
      throw new DiskError("EINVAL", `pipeClosed ${fd}: no pipe can be read there (${errorText(error)})`, { cause: error });
    }
    const end = (): void => {
      closed = true;
      for (const tell of tells) tell();
    };
    pipe
      .on("error", () => undefined)
      .on("close", end)
      .on("end", end);
    pipe.resume();
    // Waiting for it is no reason to go on.
    pipe.unref();
    return pipe;
  }
}

export function processExits(pid: number): Event {
  return {
    happened() {
      try {
        process.kill(pid, 0);
        return false;
      } catch (error) {
        // A process of somebody else is one that runs.
        return (error as NodeJS.ErrnoException).code === "ESRCH";
      }
    },
  };
}

/** The exit code that says that it has happened. */
const HAPPENED = 88;

export function scriptSays(script: string): Event {
  return {
    async happened(signal) {
      const { code, stderr } = await runChild("/bin/sh", ["-c", script], { signal });
      if (code === HAPPENED) return true;
      if (code !== 0)
        throw new Error(`the script ended with ${code}: expected 0, or ${HAPPENED} once it has happened${stderr && `\n${stderr}`}`);
      return false;
    },
  };
}
