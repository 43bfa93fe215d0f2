// The tables of plugins and filters, and looking up names in them.

import type { FilterEntry, PluginEntry } from "../command/index.ts";
import { isFile, pluginFile } from "./script/file.ts";
import { didYouMean } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

export type { CreateContext, Entry, FilterEntry, Key, Keys, KeyValues, OptionsOf, Parameter, PluginEntry } from "../command/index.ts";
export { filterEntry, pluginEntry } from "../command/index.ts";

/** The plugins and filters that the command knows. */
export interface Catalogue {
  readonly plugins: readonly PluginEntry[];
  readonly filters: readonly FilterEntry[];
  /** What else there is, by name, and the package that it is in. */
  readonly packaged?: { readonly plugin: Readonly<Record<string, string>>; readonly filter: Readonly<Record<string, string>> };
  /** Looks for a plugin that is not in the list. */
  readonly findPlugin?: (name: string) => Promise<PluginEntry | undefined>;
  /** Looks for a filter that is not in the list. */
  readonly findFilter?: (name: string) => Promise<FilterEntry | undefined>;
}

/**
 * Looks up a plugin by its name, or loads it from the file that the name is.
 *
 * @throws UsageError when there is none of that name
 */
export async function lookUpPlugin(catalogue: Catalogue, name: string): Promise<PluginEntry> {
  if (isFile(name)) return pluginFile(name);
  const entry = catalogue.plugins.find((candidate) => candidate.name === name) ?? (await catalogue.findPlugin?.(name));
  return entry ?? refuse("plugin", name, catalogue.plugins);
}

/**
 * Looks up a filter.
 *
 * @throws UsageError when there is none of that name
 */
export async function lookUpFilter(catalogue: Catalogue, name: string): Promise<FilterEntry> {
  const entry = catalogue.filters.find((candidate) => candidate.name === name) ?? (await catalogue.findFilter?.(name));
  return entry ?? refuse("filter", name, catalogue.filters);
}

function refuse(kind: string, name: string, entries: readonly { readonly name: string }[]): never {
  const names = entries.map((entry) => entry.name);
  const known = names.length === 0 ? `there are no ${kind}s yet` : `the ${kind}s are ${names.toSorted().join(", ")}`;
  throw new UsageError(`there is no ${kind} '${name}'${didYouMean(name, names)} (${known})`);
}
