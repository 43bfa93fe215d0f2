// Where log entries go: files, scripts, functions and streams. What fails there is told once, and is no failure of the disk.

import { closeSync, openSync, writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { runChild } from "../../common/child.ts";
import type { Awaitable } from "../../contract/awaitable.ts";
import { errorText } from "../../contract/error.ts";
import { formatAssignments, formatLine, type LogEntry } from "./format.ts";

/** Takes entries. */
export interface Outlet {
  open?(): void;
  /** Never fails; what it answers with a promise may be waited for. */
  write(entry: LogEntry): Awaitable<void>;
  close?(): Awaitable<void>;
}

/** Lines in a file. Each is written at once: it is there when the next request goes wrong. */
export function fileOutlet(path: string, append: boolean): Outlet {
  let fd: number | undefined;
  /** Disks that the filter is laid over, and that are in use. */
  let users = 0;
  let appending = append;
  const warn = warnOnce(`writing the log ${path}`);
  return {
    open() {
      fd ??= openSync(path, appending ? "a" : "w");
      users += 1;
      // A disk that is opened anew in process goes on where it was.
      appending = true;
    },
    write(entry) {
      if (fd !== undefined) warn(() => writeSync(fd as number, `${formatLine(entry)}\n`));
    },
    close() {
      users -= 1;
      if (users > 0 || fd === undefined) return;
      const closing = fd;
      fd = undefined;
      closeSync(closing);
    },
  };
}

/** A shell script, run for each entry, one after the other. */
export function scriptOutlet(script: string): Outlet {
  let last: Promise<void> = Promise.resolve();
  const warn = warnOnce("running the log script");
  const run = async (entry: LogEntry): Promise<void> => {
    const child = runChild("/bin/sh", ["-c", `${formatAssignments(entry)}${script}`]);
    const ended = await child.catch((error: unknown) => {
      warn(() => {
        throw error;
      });
    });
    // Standard output may be a client's connection.
    if (ended) process.stderr.write(Buffer.concat([ended.stdout, Buffer.from(ended.stderr)]));
  };
  return {
    write(entry) {
      last = last.then(() => run(entry));
      return last;
    },
    close: () => last,
  };
}

/** A function, or a stream that gets lines. */
export function appOutlet(to: ((line: string, entry: LogEntry) => void) | Writable): Outlet {
  const warn = warnOnce("the app's log");
  return {
    write(entry) {
      warn(() => (typeof to === "function" ? to(formatLine(entry), entry) : to.write(`${formatLine(entry)}\n`)));
    },
  };
}

/** Does things; the first failure becomes a warning of the process. */
function warnOnce(what: string): (perform: () => unknown) => void {
  let warned = false;
  return (perform) => {
    try {
      perform();
    } catch (error) {
      if (!warned) process.emitWarning(`diskwright: ${what} failed: ${errorText(error)}`, "DiskwrightWarning");
      warned = true;
    }
  };
}
