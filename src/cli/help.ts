// The texts of --help, --dump-plugin and --dump-config.

import type { OptionSpec } from "./arguments.ts";
import type { Entry, Key, PluginEntry } from "./catalogue.ts";
import type { Stack } from "./stack.ts";
import { VERSION } from "./version.ts";

/** Lays out two columns; what is long on the left gets a line of its own. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(28, Math.max(0, ...rows.map(([left]) => left.length)));
  return rows
    .map(([left, right]) => (left.length > width ? `  ${left}\n  ${" ".repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`))
    .join("\n");
}

/** The options of a command. */
export function optionsHelp(specs: readonly OptionSpec[]): string {
  const rows = specs.filter((spec) => spec.help !== "").map((spec) => [optionName(spec), spec.help] as const);
  return columns(rows);
}

function optionName({ name, short, value }: OptionSpec): string {
  return `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : `=${value}`}`;
}

/** The keys of a plugin and filters. */
export function stackHelp({ plugin, filters }: Stack): string {
  return [...filters.map((filter) => entryHelp("filter", filter)), entryHelp("plugin", plugin)].join("\n\n");
}

function entryHelp(kind: string, { name, summary, keys }: Entry): string {
  const rows = Object.entries(keys).map(([key, spec]) => [`${key}=${placeholder(spec)}`, keyHelp(spec)] as const);
  return `${kind} ${name}: ${summary}\n${rows.length === 0 ? "  (it takes no parameters)" : columns(rows)}`;
}

function placeholder(key: Key): string {
  return key.type === "choice" ? key.values.join("|") : key.type.toUpperCase();
}

function keyHelp({ help, required, magic, repeatable, default: fallback }: Key): string {
  const notes = [
    required ? "required" : undefined,
    magic ? "the key may be left out" : undefined,
    repeatable ? "may be repeated" : undefined,
    fallback === undefined ? undefined : `default: ${fallback}`,
  ].filter((note) => note !== undefined);
  return notes.length === 0 ? help : `${help} (${notes.join(", ")})`;
}

const threadModels = { parallel: "parallel", connection: "serialize_requests", plugin: "serialize_all_requests" } as const;

/**
 * What `--dump-plugin` prints: nbdkit's names where they mean something here.
 *
 * @param more - further lines, of the plugin's own; one of a name that is there already takes its place
 */
export function dumpPlugin({ name, version = VERSION, concurrency = "parallel", keys, anyKey }: PluginEntry, more: string): string {
  const magic = Object.entries(keys).find(([, key]) => key.magic)?.[0];
  const lines = [
    `name=${name}`,
    `version=${version}`,
    `max_thread_model=${threadModels[concurrency]}`,
    `thread_model=${threadModels[concurrency]}`,
    ...(magic === undefined ? [] : [`magic_config_key=${magic}`]),
    ...(Object.keys(keys).length > 0 || anyKey ? ["has_config=1"] : []),
  ];
  const own = more === "" ? [] : more.split("\n");
  const names = lines.map(nameOf);
  const said = lines.map((line) => own.findLast((other) => nameOf(other) === nameOf(line)) ?? line);
  return [...said, ...own.filter((line) => !names.includes(nameOf(line)))].join("\n");
}

function nameOf(line: string): string {
  return line.replace(/=.*/s, "");
}

/** What `--dump-config` prints: nbdkit's names where they mean something here. */
export function dumpConfig(): string {
  const [major, minor] = VERSION.split(".");
  return [
    "name=diskwright",
    `version=${VERSION}`,
    `version_major=${major}`,
    `version_minor=${minor}`,
    "exit_with_parent=yes",
    `host_cpu=${process.arch}`,
    `host_os=${process.platform}`,
    "selinux=no",
    "tls=no",
  ].join("\n");
}
