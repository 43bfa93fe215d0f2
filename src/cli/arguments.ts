// Reading a command line by a table of options, as getopt_long does: options and other arguments in any order, short ones in clusters, long ones
// shortened where that is unambiguous, everything after `--` taken as it is.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { didYouMean } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

/** One option of a command. */
export interface OptionSpec<Name extends string = string> {
  /** How the help shows it, without dashes. */
  readonly name: Name;
  /** Other long names. */
  readonly aliases?: readonly string[];
  /** The letter after a single dash. */
  readonly short?: string;
  /** What its value is called in the help; absent: it takes none. */
  readonly value?: string;
  /** One line for the help; empty: understood, but not shown. */
  readonly help: string;
  /** It is known and not to be had: why, and what to do instead. */
  readonly refused?: string;
}

/** A command line that was read. */
export interface Arguments<Name extends string = string> {
  /** Whether an option is there. */
  has(name: Name): boolean;
  /** The value of an option; of several, the last. */
  value(name: Name): string | undefined;
  /** Every value of an option, in order. */
  values(name: Name): readonly string[];
  /** What is no option, in order. */
  readonly positionals: readonly string[];
}

/**
 * Reads a command line.
 *
 * @throws UsageError when an option is unknown, ambiguous, refused, lacks its value or has one that it does not take
 */
export function readArguments<Name extends string>(argv: readonly string[], specs: readonly OptionSpec<Name>[]): Arguments<Name> {
  const byName = longNames(specs);
  const { tokens } = parseArgs({ args: [...argv], options: parseArgsOptions(byName), strict: false, allowPositionals: true, tokens: true });
  const found = new Map<Name, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const spec = byName.get(token.name);
    if (spec === undefined) throw unknownOption(token.rawName, specs);
    if (spec.refused !== undefined) throw new UsageError(`${token.rawName}: ${spec.refused}`);
    if (spec.value !== undefined && token.value === undefined)
      throw new UsageError(`option '${token.rawName}' requires an argument: ${spec.value}`);
    if (spec.value === undefined && token.value !== undefined) throw new UsageError(`option '${token.rawName}' doesn't allow an argument`);
    found.set(spec.name, [...(found.get(spec.name) ?? []), token.value ?? ""]);
  }
  return {
    has: (name) => found.has(name),
    value: (name) => found.get(name)?.at(-1),
    values: (name) => found.get(name) ?? [],
    positionals,
  };
}

/** Every long name, and every beginning of one that belongs to a single option. */
function longNames<Name extends string>(specs: readonly OptionSpec<Name>[]): Map<string, OptionSpec<Name>> {
  const full = new Map(specs.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])].map((name) => [name, spec] as const)));
  const beginnings = new Map<string, OptionSpec<Name> | undefined>();
  for (const [name, spec] of full) {
    for (let length = 1; length < name.length; length += 1) {
      const beginning = name.slice(0, length);
      beginnings.set(beginning, beginnings.has(beginning) && beginnings.get(beginning) !== spec ? undefined : spec);
    }
  }
  for (const [beginning, spec] of beginnings) if (spec !== undefined && !full.has(beginning)) full.set(beginning, spec);
  return full;
}

function parseArgsOptions(byName: ReadonlyMap<string, OptionSpec>): NonNullable<ParseArgsConfig["options"]> {
  return Object.fromEntries(
    [...byName].map(([name, spec]) => [
      name,
      {
        type: spec.value === undefined ? ("boolean" as const) : ("string" as const),
        multiple: true,
        ...(spec.short !== undefined && name === spec.name && { short: spec.short }),
      },
    ]),
  );
}

function unknownOption(rawName: string, specs: readonly OptionSpec[]): UsageError {
  if (!rawName.startsWith("--")) return new UsageError(`invalid option '${rawName}'`);
  const names = specs.filter((spec) => spec.help !== "").flatMap((spec) => [spec.name, ...(spec.aliases ?? [])]);
  const typed = rawName.slice(2);
  const possible = names.filter((name) => name.startsWith(typed));
  if (possible.length > 1) return new UsageError(`option '${rawName}' is ambiguous: ${possible.map((name) => `--${name}`).join(", ")}`);
  return new UsageError(`unrecognized option '${rawName}'${didYouMean(typed, names, (name) => `--${name}`)}`);
}
