// The eval plugin: a disk made of small shell scripts, one for each method, as nbdkit's eval plugin runs them.

import type { Plugin } from "../contract/plugin.ts";
import { scriptError } from "./script/answer.ts";
import { type Method, methods } from "./script/methods.ts";
import { type ScriptParameters, scriptPlugin } from "./script/plugin.ts";
import type { Script } from "./script/runner.ts";

/** A method that {@link evalScripts} can have. */
export type ScriptMethod =
  | "after_fork"
  | "block_size"
  | "cache"
  | "can_cache"
  | "can_extents"
  | "can_fast_zero"
  | "can_flush"
  | "can_fua"
  | "can_multi_conn"
  | "can_trim"
  | "can_write"
  | "can_zero"
  | "close"
  | "config"
  | "config_complete"
  | "default_export"
  | "dump_plugin"
  | "export_description"
  | "extents"
  | "flush"
  | "get_ready"
  | "get_size"
  | "is_rotational"
  | "list_exports"
  | "open"
  | "pread"
  | "preconnect"
  | "pwrite"
  | "thread_model"
  | "trim"
  | "unload"
  | "zero";

/** What a disk by {@link evalScripts} is made of. */
export interface EvalOptions {
  /** The script of each method, by the names of nbdkit's protocol. */
  readonly methods: Readonly<Partial<Record<ScriptMethod, string>>>;
  /** What is run for the methods that are not there. Default: they are missing (`exit 2`). */
  readonly missing?: string;
  /** What the `config` script gets. Default: nothing. */
  readonly parameters?: ScriptParameters;
}

/**
 * A disk made of small shell scripts, one for each method (nbdkit's eval plugin). Each is run by /bin/sh with the method's name as `$1`, the
 * client's handle as `$2` and the method's arguments after that. What a script is there for is what the disk can do: with a `pwrite` it can be
 * written, unless a `can_write` says otherwise. All else is as in {@link sh}.
 *
 * @throws Error EINVAL when an option is not what it should be. Starting fails when one of the scripts does
 * @example A disk of zeroes
 * ```ts
 * const zeroes = evalScripts({
 *   methods: { get_size: "echo 64M", pread: "dd if=/dev/zero count=$3 iflag=count_bytes", thread_model: "echo parallel" },
 * });
 * ```
 */
export function evalScripts(options: EvalOptions): Plugin {
  return scriptPlugin(evalScript(options), options.parameters);
}

/** Every method that may be given. */
export const evalMethods: readonly ScriptMethod[] = methods
  .filter((method): method is ScriptMethod => method !== "load" && method !== "magic_config_key")
  .toSorted();

/** What the presence of a method says without a method that would say it. */
const implied: readonly (readonly [method: ScriptMethod, says: ScriptMethod, output: string])[] = [
  ["pwrite", "can_write", ""],
  ["flush", "can_flush", ""],
  ["trim", "can_trim", ""],
  ["zero", "can_zero", ""],
  ["extents", "can_extents", ""],
  ["cache", "can_cache", "native"],
];

/** The script that all the scripts are together. */
export function evalScript({ methods: given, missing }: EvalOptions): Script {
  const found = new Map<Method, readonly [string, ...string[]] | Uint8Array>();
  for (const [method, text] of Object.entries(given)) {
    if (!(evalMethods as readonly string[]).includes(method))
      throw scriptError("EINVAL", `option methods: there is no method ${method}: the methods are ${evalMethods.join(", ")}`);
    if (text !== undefined) found.set(method as Method, shell(method, text));
  }
  for (const [method, says, output] of implied) {
    if (found.has(method) && !found.has(says)) found.set(says, Buffer.from(output));
  }
  const otherwise = missing === undefined ? undefined : shell("missing", missing);
  return { name: "eval", find: (method) => found.get(method) ?? (method === "load" ? undefined : otherwise) };
}

function shell(name: string, text: string): readonly [string, ...string[]] {
  if (typeof text !== "string") throw scriptError("EINVAL", `the script of ${name}: expected a text, got ${typeof text}`);
  return ["/bin/sh", "-c", text, name];
}
