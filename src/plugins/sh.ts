// The sh plugin: a disk that is a script, in any language, as nbdkit's sh plugin runs it.

import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errorText } from "../contract/error.ts";
import type { Plugin } from "../contract/plugin.ts";
import { scriptError } from "./script/answer.ts";
import { type ScriptParameters, scriptPlugin } from "./script/plugin.ts";
import type { Script } from "./script/runner.ts";

/** What a disk by {@link sh} is made of: `script` or `source`. */
export interface ShOptions {
  /** The path of a script or program that may be executed. */
  readonly script?: string;
  /** The text of a script, which is run by /bin/sh unless it says otherwise (`#!/usr/bin/env python3`). */
  readonly source?: string;
  /** What the script's `config` method gets. Default: nothing. */
  readonly parameters?: ScriptParameters;
}

/**
 * A disk that is a script. It is run once for each call, with the method's name as its first argument and the method's arguments after that; it
 * prints what is read and reads what is written. The protocol is nbdkit's: its scripts run as they are, with all of their methods, exit codes and
 * `$tmpdir`.
 *
 * One call at a time is made unless the script's `thread_model` allows more. A client that goes has what it waits for ended (SIGTERM). Scripts are
 * given nothing by the client but the export's name, as one argument; what they print to standard error is for the app and not for clients.
 *
 * @throws Error EINVAL when an option is not what it should be. Starting fails when there is no such script, or one of its methods fails
 * @example A script in a file
 * ```ts
 * await using server = await serve(sh({ script: "./backup-disk.sh", parameters: { snapshot: "2024-05-01" } }));
 * ```
 * @example A disk of zeroes
 * ```ts
 * const zeroes = sh({
 *   source: `case "$1" in
 *     get_size) echo 1M ;;
 *     pread) head -c "$3" /dev/zero ;;
 *     *) exit 2 ;;
 *   esac`,
 * });
 * ```
 */
export function sh(options: ShOptions): Plugin {
  return scriptPlugin(shScript(options), options.parameters);
}

/** The script that the options name. */
export function shScript({ script, source }: ShOptions): Script {
  if ((script === undefined) === (source === undefined))
    throw scriptError("EINVAL", "sh() takes either a script, by its path, or the source of one");
  const text = script ?? source;
  if (typeof text !== "string" || text === "")
    throw scriptError("EINVAL", `option ${script === undefined ? "source" : "script"}: ${String(text)}: expected a text`);
  return script === undefined ? inline(text) : inFile(text);
}

/** A script by its path. */
function inFile(path: string): Script {
  const program = resolve(path);
  return {
    name: "sh",
    async prepare() {
      try {
        await access(program, constants.X_OK);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const why =
          code === "ENOENT" ? "there is no such script" : code === "EACCES" ? `it may not be executed: chmod +x ${path}` : errorText(error);
        throw scriptError(code ?? "EIO", `sh: ${path}: ${why}`);
      }
    },
    find: () => [program],
  };
}

/** A script by its text. */
function inline(source: string): Script {
  let program = "";
  return {
    name: "sh",
    async prepare(directory) {
      program = join(directory, "inline-script.sh");
      await writeFile(program, source, { mode: 0o500 });
    },
    find: () => [program],
  };
}
