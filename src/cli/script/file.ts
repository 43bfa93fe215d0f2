// `diskwright serve ./disk.ts`: a plugin that is a file of the user's, in JavaScript or TypeScript.

import { basename, extname, resolve } from "node:path";
import { assertPlugin } from "../../contract/assert-plugin.ts";
import type { Awaitable, Plugin } from "../../index.ts";
import type { Key, Keys, Parameter, PluginEntry } from "../catalogue.ts";
import { UsageError } from "../usage-error.ts";
import { importScript } from "./import.ts";
import { located } from "./where.ts";

const extensions: readonly string[] = [".js", ".mjs", ".cjs", ".ts", ".mts"];

/** Whether the name of a plugin is that of a file: it has a slash, or ends as a script does. */
export function isFile(name: string): boolean {
  return name.includes("/") || extensions.includes(extname(name)) || (process.platform === "win32" && name.includes("\\"));
}

/** What such a file exports. */
interface Exported {
  /** Makes the plugin of what was given, or is the plugin, or is an entry of the catalogue. */
  readonly default?: unknown;
  /** The keys that it takes, as in the catalogue. Without them it gets whatever is given, as text. */
  readonly keys?: Keys;
  /** One line for the help. */
  readonly summary?: string;
}

type Create = (options: Readonly<Record<string, unknown>>) => Awaitable<Plugin>;

/**
 * Loads a plugin from a file.
 *
 * @throws UsageError when it is no such file; Error, which says where, when it cannot be loaded
 */
export async function pluginFile(name: string): Promise<PluginEntry> {
  const path = resolve(name);
  if (!extensions.includes(extname(path)))
    throw new UsageError(`${name}: the name of a plugin's file ends in ${extensions.join(", ")}${foreign(path)}`);
  const exported = (await importScript(name, path)) as Exported;
  const { default: made, keys, summary = `The plugin of ${name}` } = exported;
  if (isEntry(made)) return { ...made, create: (options, context) => attempt(path, () => made.create(options, context)) };
  const entry = { name: basename(path, extname(path)), summary };
  if (typeof made === "function")
    return { ...entry, keys: checkKeys(name, keys ?? {}), anyKey: keys === undefined, create: creator(path, made as Create, keys) };
  if (typeof made !== "object" || made === null || !("open" in made))
    throw new Error(
      `${name}: its default export is ${made === undefined ? "missing" : typeof made}: expected a plugin, or a function that makes one`,
    );
  return { ...entry, keys: {}, create: () => made as Plugin };
}

function creator(path: string, make: Create, keys: Keys | undefined): PluginEntry["create"] {
  return (options, { parameters }) =>
    attempt(path, async () => assertPlugin(await make(keys === undefined ? textOf(parameters) : options), "what its default export makes"));
}

/** What was given, as it was given; of a key that comes twice the last one. */
function textOf(parameters: readonly Parameter[]): Readonly<Record<string, string>> {
  return Object.fromEntries(parameters.map(({ key, value }) => [key, value]));
}

async function attempt<T>(path: string, step: () => Awaitable<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new Error(located(error, path), { cause: error });
  }
}

const types: ReadonlySet<string> = new Set<Key["type"]>([
  "size",
  "boolean",
  "integer",
  "number",
  "string",
  "path",
  "secret",
  "duration",
  "probability",
  "choice",
]);

function checkKeys(name: string, keys: Keys): Keys {
  for (const [key, spec] of Object.entries(keys)) {
    if (!types.has(spec?.type))
      throw new Error(`${name}: the type of its key ${key} is ${String(spec?.type)}: expected one of ${[...types].join(", ")}`);
    if (spec.type === "choice" && !Array.isArray(spec.values)) throw new Error(`${name}: its key ${key} is a choice without values`);
  }
  return keys;
}

function isEntry(value: unknown): value is PluginEntry {
  const entry = value as Partial<PluginEntry> | null | undefined;
  return typeof entry === "object" && typeof entry?.create === "function" && typeof entry.keys === "object";
}

function foreign(path: string): string {
  return extname(path) === ".so" ? "; what was compiled for nbdkit cannot be used here" : "";
}
