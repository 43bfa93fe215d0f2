// Which disk a client gets: one plugin under every name, or a map of names.

import { assertPlugin } from "../contract/assert-plugin.ts";
import type { Awaitable } from "../contract/awaitable.ts";
import { DiskError } from "../contract/error.ts";
import { release, retain } from "../contract/lifecycle.ts";
import type { ClientInfo, ExportInfo, Peer, Plugin } from "../contract/plugin.ts";
import { together } from "../contract/together.ts";
import type { Export, Source } from "./options.ts";

/** An export that a client asked for. */
export interface Choice {
  readonly plugin: Plugin;
  /** The name that the plugin is asked to open. */
  readonly exportName: string;
  readonly readonly: boolean | undefined;
  readonly description: string | undefined;
}

/** The exports of a server. */
export interface Exports {
  /** Starts the plugins. `shutdown` is called when one of them asks for the server to close. */
  start(shutdown: () => void, signal?: AbortSignal): Promise<void>;
  /** Closes the plugins; the first error is thrown after all have been closed. */
  close(): Promise<void>;
  /** Throws to drop a client before anything is sent to it; answers what it may see. */
  preconnect(peer: Peer): Promise<Visible>;
}

/** The exports that one client may see. */
export interface Visible {
  list(client: ClientInfo): Promise<readonly ExportInfo[]>;
  /** Throws ENOENT when there is no such export. */
  choose(name: string, client: ClientInfo): Awaitable<Choice>;
}

/** One plugin that gets every name. */
export class SingleExport implements Exports {
  readonly #plugin: Plugin;
  #shutdown: (() => void) | undefined;

  constructor(plugin: Plugin) {
    this.#plugin = assertPlugin(plugin, "the source of serve()");
  }

  start(shutdown: () => void, signal?: AbortSignal): Promise<void> {
    this.#shutdown = shutdown;
    return retain(this.#plugin, shutdown, signal);
  }

  close(): Promise<void> {
    return release(this.#plugin, this.#shutdown);
  }

  async preconnect(peer: Peer): Promise<Visible> {
    const plugin = this.#plugin;
    await plugin.preconnect?.(peer);
    return {
      list: (client) => listPlugin(plugin, client),
      async choose(name, client) {
        const exportName = name === "" ? ((await plugin.defaultExport?.(client)) ?? "") : name;
        return { plugin, exportName, readonly: undefined, description: undefined };
      },
    };
  }
}

async function listPlugin(plugin: Plugin, client: ClientInfo): Promise<readonly ExportInfo[]> {
  if (plugin.exports === undefined) return [{ name: (await plugin.defaultExport?.(client)) ?? "" }];
  const list: ExportInfo[] = [];
  for await (const info of await plugin.exports(client)) {
    list.push(checkInfo(info, plugin));
    if (list.length === MAX_LISTED) break;
  }
  return list;
}

function checkInfo(info: ExportInfo, { name: plugin }: Plugin): ExportInfo {
  const { name, description } = info;
  if (typeof name !== "string" || (description !== undefined && typeof description !== "string"))
    throw new TypeError(`${plugin} lists ${JSON.stringify(info)}: expected a name, and perhaps a description, as strings`);
  checkName(name);
  return info;
}

/** No client is shown more exports than this. */
const MAX_LISTED = 10_000;

/** A map of names, which may change while the server runs. */
export class ExportMap implements Exports {
  readonly #exports = new Map<string, Export>();
  readonly #defaultName: string | undefined;
  #shutdown: (() => void) | undefined;
  #started = false;

  constructor(source: Exclude<Source, Plugin>, defaultName: string | undefined) {
    for (const [name, value] of entriesOf(source)) this.#exports.set(checkName(name), toExport(value, name));
    this.#defaultName = defaultName;
  }

  async start(shutdown: () => void, signal?: AbortSignal): Promise<void> {
    this.#shutdown = shutdown;
    const started: Plugin[] = [];
    try {
      for (const { plugin } of this.#exports.values()) {
        await retain(plugin, shutdown, signal);
        started.push(plugin);
      }
    } catch (error) {
      await this.#release(started).catch(() => undefined);
      throw error;
    }
    this.#started = true;
  }

  async close(): Promise<void> {
    if (!this.#started) return;
    this.#started = false;
    const plugins = [...this.#exports.values()].map(({ plugin }) => plugin);
    this.#exports.clear();
    await this.#release(plugins);
  }

  /** Releases an export that was taken out of the map. */
  release({ plugin }: Export): Promise<void> {
    return release(plugin, this.#shutdown);
  }

  /** Adds or replaces an export. Answers what it replaced: release that once its clients are gone. */
  async add(name: string, value: Plugin | Export): Promise<Export | undefined> {
    const added = toExport(value, checkName(name));
    await retain(added.plugin, this.#shutdown);
    if (!this.#started) {
      await release(added.plugin, this.#shutdown);
      throw new DiskError("ESHUTDOWN", `cannot add export ${JSON.stringify(name)}: the server is closed`);
    }
    const before = this.#exports.get(name);
    this.#exports.set(name, added);
    return before;
  }

  /** Takes an export out of the map. Release it once its clients are gone. */
  remove(name: string): Export {
    const found = this.#exports.get(name);
    if (found === undefined) throw unknown(name);
    this.#exports.delete(name);
    return found;
  }

  /** A peer that a plugin does not want does not see that plugin's export; one that none wants is dropped. */
  async preconnect(peer: Peer): Promise<Visible> {
    const verdicts = new Map<Export, "welcome" | "refused">();
    /** Asks the plugins that have not been asked, as those of exports that came later; gives what they threw. */
    const ask = async (): Promise<unknown[]> => {
      const asked = [...this.#exports.values()].filter((found) => !verdicts.has(found));
      const results = await Promise.allSettled(asked.map(async ({ plugin }) => plugin.preconnect?.(peer)));
      for (const [index, { status }] of results.entries()) {
        verdicts.set(asked[index] as Export, status === "fulfilled" ? "welcome" : "refused");
      }
      return results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    };
    const refusals = await ask();
    if (refusals.length > 0 && refusals.length === verdicts.size) throw refusals[0];

    const get = (name: string): Export | undefined => {
      const found = this.#exports.get(name);
      return found !== undefined && verdicts.get(found) === "welcome" ? found : undefined;
    };
    const names = (): string[] => [...this.#exports.keys()].filter((name) => get(name) !== undefined);
    return {
      list: async () => {
        await ask();
        return names().map((name) => describe(name, get(name) as Export));
      },
      choose: async (asked) => {
        await ask();
        const name = asked === "" ? this.#default(names()) : asked;
        const found = name === undefined ? undefined : get(name);
        if (name === undefined || found === undefined) throw unknown(asked);
        return { plugin: found.plugin, exportName: name, readonly: found.readonly, description: found.description };
      },
    };
  }

  /** Releases all of them, then throws the first error. */
  #release(plugins: readonly Plugin[]): Promise<void> {
    return together(plugins.map((plugin) => release(plugin, this.#shutdown)));
  }

  #default(names: readonly string[]): string | undefined {
    if (this.#defaultName !== undefined) return this.#defaultName;
    if (names.includes("")) return "";
    return names.length === 1 ? names[0] : undefined;
  }
}

function describe(name: string, { description }: Export): ExportInfo {
  return description === undefined ? { name } : { name, description };
}

function unknown(name: string): DiskError {
  return new DiskError(
    "ENOENT",
    name === "" ? "there is no default export: ask for one by its name" : `there is no export ${JSON.stringify(name)}`,
  );
}

function checkName(name: string): string {
  if (Buffer.byteLength(name) > 4096 || name.includes("\0")) {
    throw new RangeError(`export name ${JSON.stringify(name.slice(0, 60))}: at most 4096 bytes of UTF-8 without NUL are allowed`);
  }
  return name;
}

function toExport(value: Plugin | Export, name: string): Export {
  const what = `export ${JSON.stringify(name)}`;
  const isExport =
    typeof value === "object" && value !== null && "plugin" in value && typeof (value as Partial<Plugin>).open !== "function";
  if (!isExport) return { plugin: assertPlugin(value as Plugin, what) };
  const { plugin, readonly, description } = value;
  assertPlugin(plugin, what);
  if (readonly !== undefined && typeof readonly !== "boolean")
    throw new TypeError(`${what}: readonly ${String(readonly)}: expected a boolean`);
  if (description !== undefined && typeof description !== "string")
    throw new TypeError(`${what}: description ${String(description)}: expected a string`);
  return value;
}

function entriesOf(source: Exclude<Source, Plugin>): Iterable<[string, Plugin | Export]> {
  if (source instanceof Map) return source.entries();
  const proto: unknown = typeof source === "object" && source !== null ? Object.getPrototypeOf(source) : undefined;
  // What is neither a map nor a plain object is a plugin gone wrong: say what is wrong with it.
  if (proto !== Object.prototype && proto !== null) assertPlugin(source as unknown as Plugin, "the source of serve()");
  return Object.entries(source as Readonly<Record<string, Plugin | Export>>);
}

/** Tells the two kinds of source apart. */
export function isPlugin(source: Source): source is Plugin {
  return typeof (source as Plugin)?.open === "function";
}
