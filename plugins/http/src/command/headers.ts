// Headers and cookies on the command line: as they are, or printed by a script.

import { execFile } from "node:child_process";
import type { HeaderValues } from "../header-values.ts";
import type { HttpOptions, RenewalContext } from "../options.ts";
import type { Options } from "./keys.ts";

export function headersOf({ header, "header-script": script }: Options): HttpOptions["headers"] | undefined {
  if (script !== undefined) return async (context) => parseHeaders((await run(script, context)).split(/\r?\n/));
  return header === undefined ? undefined : parseHeaders(header);
}

export function cookiesOf({ cookie, "cookie-script": script }: Options): HttpOptions["cookies"] | undefined {
  if (script !== undefined) return async (context) => (await run(script, context)).split(/\r?\n/)[0] as string;
  return cookie;
}

/**
 * Headers as curl writes them: `Name: value`; `Name;` for one without a value; `Name:` takes away what curl would send of itself, which is
 * nothing here.
 */
export function parseHeaders(lines: readonly string[]): HeaderValues {
  const values: Record<string, string[]> = {};
  for (const line of lines) {
    if (line.trim() === "") continue;
    const match = /^([^:;\s]+)(?::\s*(.*?)\s*|;)$/.exec(line);
    if (match === null)
      throw new Error(`header ${JSON.stringify(line.split(":")[0])}: expected 'Name: value', or 'Name;' for an empty one`);
    if (match[2] === "") continue;
    const name = (match[1] as string).toLowerCase();
    values[name] = [...(values[name] ?? []), match[2] ?? ""];
  }
  return values;
}

/** What a script prints. Its errors go to where ours go. */
function run(script: string, { url, iteration, signal }: RenewalContext): Promise<string> {
  const env = { ...process.env, url, iteration: String(iteration) };
  return new Promise((resolve, reject) => {
    const child = execFile("/bin/sh", ["-c", script], { env, signal, encoding: "utf8", maxBuffer: 2 ** 20 }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else
        reject(
          signal.aborted
            ? signal.reason
            : new Error(`the script for headers or cookies failed: it ended with ${error.code ?? error.signal}`),
        );
    });
    child.stderr?.pipe(process.stderr, { end: false });
    child.stdin?.end();
  });
}
