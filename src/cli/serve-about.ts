// What `diskwright serve` says of itself, a plugin and filters, instead of serving.

import type { Arguments } from "./arguments.ts";
import type { Catalogue } from "./catalogue.ts";
import { columns, dumpConfig, dumpPlugin, optionsHelp, stackHelp } from "./help.ts";
import type { Host } from "./host.ts";
import { type ServeOption, serveOptions } from "./serve-options.ts";
import { dumpOf, lookUpStack, type Stack } from "./stack.ts";
import { UsageError } from "./usage-error.ts";
import { VERSION } from "./version.ts";

/**
 * Answers `--help`, `--version`, `--dump-plugin` and `--dump-config`.
 *
 * @returns the text; `undefined` when none of them is there
 * @throws UsageError when there is no such plugin or filter
 */
export async function aboutServe(args: Arguments<ServeOption>, host: Host, catalogue: Catalogue): Promise<string | undefined> {
  if (args.has("dump-config")) return dumpConfig();
  if (!args.has("help") && !args.has("version") && !args.has("dump-plugin")) return undefined;
  const [name, ...parameters] = args.positionals;
  const stack = name === undefined ? undefined : await lookUpStack(catalogue, name, args.values("filter"));
  if (args.has("help")) return help(stack, catalogue);
  if (args.has("version")) return version(stack);
  if (stack === undefined) throw new UsageError("--dump-plugin: which plugin? Write diskwright serve PLUGIN --dump-plugin");
  return dumpPlugin(stack.plugin, await dumpOf(stack, parameters, host));
}

function help(stack: Stack | undefined, catalogue: Catalogue): string {
  const usage = "diskwright serve [OPTIONS] [--filter=NAME …] PLUGIN [VALUE | KEY=VALUE …] [--run CMD]";
  if (stack !== undefined) return `${usage}\n\n${stackHelp(stack)}\n\nThe options are listed by diskwright serve --help.`;
  return [
    usage,
    "Serves a disk over NBD until it is told to stop, or for as long as CMD runs. Takes nbdkit's command line.",
    optionsHelp(serveOptions),
    `Plugins:\n${list(catalogue.plugins, catalogue.packaged?.plugin)}`,
    ...(catalogue.filters.length === 0 ? [] : [`Filters:\n${list(catalogue.filters, catalogue.packaged?.filter)}`]),
    "What a plugin or filter takes: diskwright serve [--filter=NAME] PLUGIN --help",
  ].join("\n\n");
}

function list(
  entries: readonly { readonly name: string; readonly summary: string }[],
  packaged: Readonly<Record<string, string>> = {},
): string {
  const elsewhere = Object.entries(packaged).map(([name, packageName]) => [name, `In a package of its own: npm i ${packageName}`] as const);
  return columns([...entries.map(({ name, summary }) => [name, summary] as const), ...elsewhere]);
}

function version(stack: Stack | undefined): string {
  const entries = stack === undefined ? [] : [...stack.filters, stack.plugin];
  return [`diskwright ${VERSION}`, ...entries.map((entry) => `${entry.name} ${entry.version ?? VERSION}`)].join("\n");
}
