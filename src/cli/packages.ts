// Plugins and filters from other packages: where they are looked for, and what to install when they are not there.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { errorText } from "../contract/error.ts";
import type { Entry, FilterEntry, PluginEntry } from "./catalogue.ts";
import { UsageError } from "./usage-error.ts";

/** What kind of thing is looked for, as its packages and their exports call it. */
type Kind = "plugin" | "filter";

/** Our own packages, by the names that the command line has for what is in them; nbdkit's names work too. */
export const firstParty: { readonly [K in Kind]: Readonly<Record<string, string>> } = {
  plugin: {
    S3: "@diskwright/s3",
    curl: "@diskwright/http",
    http: "@diskwright/http",
    s3: "@diskwright/s3",
    tmpdisk: "@diskwright/tmpdisk",
    torrent: "@diskwright/torrent",
    vddk: "@diskwright/vddk",
  },
  filter: { xz: "@diskwright/xz", zstd: "@diskwright/zstd" },
};

/** Looks for a plugin in the packages that are installed. */
export async function findPlugin(name: string): Promise<PluginEntry | undefined> {
  return (await find("plugin", name)) as PluginEntry | undefined;
}

/** Looks for a filter in the packages that are installed. */
export async function findFilter(name: string): Promise<FilterEntry | undefined> {
  return (await find("filter", name)) as FilterEntry | undefined;
}

/**
 * Imports a package that may not be installed: from the folder that the command is run in, or else from beside this package.
 *
 * @returns `undefined` when it is in neither place
 * @throws what the package throws when it is loaded
 */
export async function importPackage(specifier: string): Promise<unknown> {
  const path = resolve(specifier, pathToFileURL(join(process.cwd(), "any.js"))) ?? resolve(specifier, import.meta.url);
  return path === undefined ? undefined : import(pathToFileURL(path).href);
}

async function find(kind: Kind, name: string): Promise<Entry | undefined> {
  const own = Object.hasOwn(firstParty[kind], name) ? firstParty[kind][name] : undefined;
  if (own === undefined && !/^[a-z0-9][a-z0-9._-]*$/i.test(name)) return undefined;
  const packageName = own ?? `diskwright-${kind}-${name.toLowerCase()}`;
  const found = await load(packageName);
  if (found !== undefined) return pick(found, packageName, kind, name);
  if (own !== undefined) throw new UsageError(`the ${kind} '${name}' is a package of its own: npm i ${own}`);
  return undefined;
}

async function load(packageName: string): Promise<unknown> {
  try {
    return await importPackage(`${packageName}/command`);
  } catch (error) {
    throw new Error(`the package ${packageName} cannot be loaded: ${errorText(error)}`, { cause: error });
  }
}

function pick(loaded: unknown, packageName: string, kind: Kind, name: string): Entry {
  const entries = (loaded as Readonly<Record<string, unknown>>)[`${kind}s`];
  const found = Array.isArray(entries) ? entries.find((entry) => entry?.name === name) : undefined;
  if (isEntry(found)) return found;
  throw new Error(`the package ${packageName} has no ${kind} '${name}': its /command is to export ${kind}s, a list of ${kind}Entry()`);
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null | undefined;
  return typeof entry?.create === "function" && typeof entry.summary === "string" && typeof entry.keys === "object" && entry.keys !== null;
}

const notThere = new Set(["MODULE_NOT_FOUND", "ERR_PACKAGE_PATH_NOT_EXPORTED"]);

function resolve(specifier: string, from: string | URL): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch (error) {
    if (notThere.has((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
