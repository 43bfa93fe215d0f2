// The file that tells others our process id.

import { readFileSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { errorText } from "../contract/error.ts";
import { complain, type Host } from "./host.ts";

/**
 * Writes the process id to a file, which is removed when the process exits unless it names another process by then.
 *
 * @throws when it cannot be written
 */
export function writePidfile(path: string, host: Host): void {
  const content = `${host.pid}\n`;
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new Error(`cannot write the pidfile: ${errorText(error)}`, { cause: error });
  }
  host.on("exit", () => {
    try {
      if (readFileSync(path, "utf8") === content) remove(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") complain(host, `cannot remove the pidfile: ${errorText(error)}`);
    }
  });
}

/** Removes the file; where its directory belongs to others, as after `--user`, it is left empty, so that it names nobody. */
function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    truncateSync(path);
  }
}
