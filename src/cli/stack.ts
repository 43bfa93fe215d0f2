// From a plugin's name, filters' names and `key=value` arguments to a disk.

import { errorText } from "../contract/error.ts";
import { type Filter, type Plugin, pipe } from "../index.ts";
import { type Catalogue, type Entry, type FilterEntry, lookUpFilter, lookUpPlugin, type Parameter, type PluginEntry } from "./catalogue.ts";
import type { Host } from "./host.ts";
import { didYouMean } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";
import { readValue } from "./values.ts";

/** The plugin and filters that were named. */
export interface Stack {
  readonly plugin: PluginEntry;
  /** The one nearest the client first, as on the command line. */
  readonly filters: readonly FilterEntry[];
}

/**
 * Looks up a plugin and filters.
 *
 * @throws UsageError when there is none of that name
 */
export async function lookUpStack(catalogue: Catalogue, plugin: string, filters: readonly string[]): Promise<Stack> {
  return {
    plugin: await lookUpPlugin(catalogue, plugin),
    filters: await Promise.all(filters.map((name) => lookUpFilter(catalogue, name))),
  };
}

/**
 * Makes the disk. Each key goes to the first filter, from the client inwards, that knows it, and to the plugin otherwise; an argument without
 * `key=` is for the plugin's magic key.
 *
 * @throws UsageError when a key is unknown or missing, or its value is not what it should be
 */
export async function makeDisk(stack: Stack, given: readonly string[], host: Host): Promise<Plugin> {
  const parameters = distribute(stack, given);
  const filters: Filter[] = [];
  for (const [index, filter] of stack.filters.entries()) filters.push(await make(filter, parameters[index] ?? [], host));
  const plugin = await make(stack.plugin, parameters.at(-1) ?? [], host);
  // On the command line the first filter is nearest the client; pipe() goes the way of the data.
  return pipe(plugin, ...filters.reverse());
}

/** What a plugin adds to `--dump-plugin`; empty where it adds nothing. */
export async function dumpOf(stack: Stack, given: readonly string[], host: Host): Promise<string> {
  const parameters = distribute(stack, given).at(-1) ?? [];
  return (await stack.plugin.dump?.({ parameters, stdin: host.stdin })) ?? "";
}

/** The parameters of each filter, and last those of the plugin. */
function distribute(stack: Stack, given: readonly string[]): readonly (readonly Parameter[])[] {
  const layers = [...stack.filters, stack.plugin];
  const parameters = layers.map((): Parameter[] => []);
  for (const argument of given) {
    const parameter = splitParameter(argument);
    const layer = parameter === undefined ? layers.length - 1 : layers.findIndex((entry) => Object.hasOwn(entry.keys, parameter.key));
    const taken = parameter ?? { key: magicKey(stack.plugin, argument), value: argument };
    if (layer === -1 && !stack.plugin.anyKey) throw unknownKey(taken.key, stack);
    parameters.at(layer)?.push(taken);
  }
  return parameters;
}

/** A key is a letter, then letters, digits, dots, underscores and dashes; everything else is a value without key. */
function splitParameter(argument: string): Parameter | undefined {
  const match = /^([A-Za-z][A-Za-z0-9._-]*)=(.*)$/s.exec(argument);
  return match === null ? undefined : { key: match[1] as string, value: match[2] as string };
}

function magicKey(plugin: PluginEntry, argument: string): string {
  const magic = Object.entries(plugin.keys).find(([, key]) => key.magic);
  if (magic !== undefined) return magic[0];
  throw new UsageError(`${plugin.name}: expected key=value, got ${JSON.stringify(argument)} (${known(plugin)})`);
}

function unknownKey(key: string, stack: Stack): UsageError {
  const layers: readonly Entry[] = [...stack.filters, stack.plugin];
  const guess = didYouMean(
    key,
    layers.flatMap((entry) => Object.keys(entry.keys)),
    (name) => `${name}=`,
  );
  const magic = Object.entries(stack.plugin.keys).find(([, entry]) => entry.magic)?.[0];
  const asValue = magic === undefined || guess !== "" ? "" : `; if all of it is the ${magic}, write ${magic}=${key}=…`;
  return new UsageError(`unknown parameter '${key}'${guess} (${layers.map(known).join("; ")}${asValue})`);
}

function known(entry: Entry): string {
  const keys = Object.keys(entry.keys);
  return `${entry.name} takes ${keys.length === 0 ? "no parameters" : keys.map((key) => `${key}=`).join(" ")}`;
}

async function make<Made>(entry: Entry<Made>, parameters: readonly Parameter[], host: Host): Promise<Made> {
  const options = await readOptions(entry, parameters, host);
  try {
    return await entry.create(options, { parameters, stdin: host.stdin });
  } catch (error) {
    throw new Error(`${entry.name}: ${errorText(error)}`, { cause: error });
  }
}

async function readOptions(entry: Entry, parameters: readonly Parameter[], host: Host): Promise<Record<string, unknown>> {
  const options: Record<string, unknown> = {};
  for (const { key, value } of parameters) {
    const spec = Object.hasOwn(entry.keys, key) ? entry.keys[key] : undefined;
    if (spec === undefined) continue;
    const read = await readValue(spec, value, `${entry.name}: ${key}`, host);
    options[key] = spec.repeatable ? [...((options[key] as unknown[] | undefined) ?? []), read] : read;
  }
  for (const [key, spec] of Object.entries(entry.keys)) {
    if (spec.required && !(key in options)) throw new UsageError(`${entry.name}: ${key}= is missing: ${spec.help}`);
  }
  return options;
}
