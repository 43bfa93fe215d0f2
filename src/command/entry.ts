// What the command knows of a plugin or filter: its name, which keys it takes, and how it is made of them.

import type { Awaitable, Concurrency, Filter, Plugin } from "../contract/index.ts";

/** A key of a plugin or filter, as `key=value` on the command line. */
export type Key = PlainKey | ChoiceKey;

/** What all keys have. */
export interface KeyText {
  /** One line for the help. */
  readonly help: string;
  /** It must be given. */
  readonly required?: boolean;
  /** An argument without `key=` is this key's value. At most one per plugin; filters have none. */
  readonly magic?: boolean;
  /** It may be given several times and is an array then; otherwise the last one counts. */
  readonly repeatable?: boolean;
  /** What holds without it, for the help; the plugin or filter itself sees to that. */
  readonly default?: string;
}

/** A key whose values are of one type. */
export interface PlainKey extends KeyText {
  readonly type: keyof KeyValues;
}

/** A key that takes one of a few words. */
export interface ChoiceKey extends KeyText {
  readonly type: "choice";
  readonly values: readonly string[];
}

/** What the types of keys become. */
export interface KeyValues {
  /** Bytes, with a suffix where wanted: `1G`. */
  readonly size: bigint;
  /** `true`, `yes`, `on`, `1`; `false`, `no`, `off`, `0`. */
  readonly boolean: boolean;
  /** A whole number, also `0x1f` or `017`. */
  readonly integer: number;
  /** A number, also with a decimal point. */
  readonly number: number;
  /** Any text. */
  readonly string: string;
  /** A file's path, made absolute. */
  readonly path: string;
  /** A password: itself, `-` to be asked, `+FILE` to read a file's first line, `-FD` to read a file descriptor's. */
  readonly secret: string;
  /** A length of time as it was given, which has been checked: `2`, `1.5`, `40ms`, `20us`. */
  readonly duration: string;
  /** 0 to 1, of `10%`, `0.1`, `1e-3` or `1:1000`. */
  readonly probability: number;
}

/** The keys of a plugin or filter by their names. */
export type Keys = Readonly<Record<string, Key>>;

type ValueOf<K extends Key> = K extends { type: "choice"; values: readonly (infer Value)[] }
  ? Value
  : K extends { type: keyof KeyValues }
    ? KeyValues[K["type"]]
    : never;
type OptionOf<K extends Key> = K extends { repeatable: true } ? readonly ValueOf<K>[] : ValueOf<K>;

/** What `create` gets of the keys: required ones are there, the others where they were given. */
export type OptionsOf<K extends Keys> = {
  readonly [Name in keyof K as K[Name] extends { required: true } ? Name : never]: OptionOf<K[Name]>;
} & {
  readonly [Name in keyof K as K[Name] extends { required: true } ? never : Name]?: OptionOf<K[Name]>;
};

/** A `key=value` as it was given. */
export interface Parameter {
  readonly key: string;
  readonly value: string;
}

/** What `create` gets beside the options. */
export interface CreateContext {
  /** Everything given to this plugin or filter, in order and unread: for those to whom the order matters, or that take any key. */
  readonly parameters: readonly Parameter[];
  /** Standard input, for those who are told to read it. */
  readonly stdin: NodeJS.ReadableStream;
}

/** What plugins and filters of the catalogue have in common. */
export interface Entry<Made = unknown> {
  /** What it is called on the command line. */
  readonly name: string;
  /** One line about what it is. */
  readonly summary: string;
  /** The keys that it takes. */
  readonly keys: Keys;
  /** It also takes keys that are not in the table, and finds them in {@link CreateContext.parameters}. */
  readonly anyKey?: boolean;
  /** Its version, where it comes from another package. */
  readonly version?: string;
  /** Makes it of what was given. What it throws is shown with the entry's name in front. */
  create(options: Readonly<Record<string, unknown>>, context: CreateContext): Awaitable<Made>;
}

/** A plugin of the catalogue. Made by {@link pluginEntry}. */
export interface PluginEntry extends Entry<Plugin> {
  /** What the plugin will say of itself, for `--dump-plugin`. */
  readonly concurrency?: Concurrency;
  /** Further lines for `--dump-plugin`; one of a name that is printed anyway, as `thread_model`, takes its place. */
  dump?(context: CreateContext): Awaitable<string>;
}

/** A filter of the catalogue. Made by {@link filterEntry}. */
export interface FilterEntry extends Entry<Filter> {}

/** The same entry with `create` typed by its keys. */
type Typed<E extends Entry, K extends Keys> = Omit<E, "keys" | "create"> & {
  readonly keys: K;
  create(options: OptionsOf<K>, context: CreateContext): ReturnType<E["create"]>;
};

/**
 * Enters a plugin in the catalogue.
 *
 * @example
 * ```ts
 * pluginEntry({
 *   name: "memory",
 *   summary: "A disk in memory",
 *   keys: { size: { type: "size", magic: true, required: true, help: "Size of the disk" } },
 *   create: ({ size }) => memory(size),
 * });
 * ```
 */
export function pluginEntry<const K extends Keys>(entry: Typed<PluginEntry, K>): PluginEntry {
  return entry as unknown as PluginEntry;
}

/** Enters a filter in the catalogue, as {@link pluginEntry} does a plugin. */
export function filterEntry<const K extends Keys>(entry: Typed<FilterEntry, K>): FilterEntry {
  return entry as unknown as FilterEntry;
}
