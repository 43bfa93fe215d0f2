// The exportname filter: which export names clients see, may use, and get by default.

import { runChild } from "../common/child.ts";
import { checkOneOf } from "../common/one-of.ts";
import type { Awaitable } from "../contract/awaitable.ts";
import { DiskError } from "../contract/error.ts";
import { type FilterOptions, filter } from "../contract/filter.ts";
import type { ClientInfo, ExportInfo, Filter, Plugin } from "../contract/plugin.ts";

const lists = ["keep", "error", "empty", "defaultonly", "explicit"] as const;

/** How {@link exportName} changes the exports of a plugin. */
export interface ExportNameOptions {
  /** The name that the empty one stands for. Default: what it does below. */
  readonly defaultExport?: string;
  /**
   * What clients are shown that ask for a list. `keep`: what the plugin lists. `error`: nothing, but an error. `empty`: nothing. `defaultonly`: the
   * default export. `explicit`: `names`. Default: `keep`.
   */
  readonly list?: "keep" | "error" | "empty" | "defaultonly" | "explicit";
  /** Names for `list: "explicit"`, and those that `strict` lets in. Default: none. */
  readonly names?: readonly string[];
  /** Clients that ask for a name that is not among `names` are refused. Default: false. */
  readonly strict?: boolean;
  /**
   * The descriptions of exports. `keep`: those that the plugin gives. `none`: none. A function is asked for that of each export. A shell script
   * finds the export's name in `$name` and prints it; one that fails has none. Default: `keep`.
   */
  readonly describe?: "keep" | "none" | { readonly script: string } | ((name: string, client: ClientInfo) => Awaitable<string | undefined>);
}

/**
 * Changes which export names clients see, may use, and get by default. What a client may use need not be what it sees.
 *
 * @throws DiskError EINVAL when an option is not what it should be
 * @example Two exports of a plugin that takes any name
 * ```ts
 * const disks = pipe(myPlugin, exportName({ list: "explicit", strict: true, names: ["system", "data"], defaultExport: "system" }));
 * ```
 */
export function exportName(options: ExportNameOptions = {}): Filter {
  const { list = "keep", names = [], strict = false, describe = "keep" } = options;
  checkOneOf("list", list, lists);
  for (const name of [...names, options.defaultExport ?? ""]) checkName(name);
  const describing = toDescribing(describe);
  const defaultName = options.defaultExport === "" ? undefined : options.defaultExport;
  const allowed = new Set(names);

  const defaultOf = async (next: Plugin, client: ClientInfo): Promise<string> => defaultName ?? (await next.defaultExport?.(client)) ?? "";
  const hooks: FilterOptions = {
    ...(defaultName !== undefined && { defaultExport: () => defaultName }),
    ...((list !== "keep" || describing !== undefined || defaultName !== undefined) && {
      async exports(next, client) {
        const shown = await listed(next, client);
        return describing === undefined ? shown : Promise.all(shown.map(({ name }) => described(name, describing, client)));
      },
    }),
    ...(strict && {
      open(next, request) {
        if (allowed.has(request.exportName)) return next.open(request);
        throw new DiskError("ENOENT", `export ${JSON.stringify(request.exportName)} is not one of those that may be used`);
      },
    }),
  };

  const listed = async (next: Plugin, client: ClientInfo): Promise<readonly ExportInfo[]> => {
    switch (list) {
      case "error":
        throw new DiskError("EPERM", "exports are not listed here");
      case "empty":
        return [];
      case "explicit":
        return names.map((name) => ({ name }));
      case "defaultonly":
        return [{ name: await defaultOf(next, client) }];
      case "keep": {
        if (next.exports === undefined) return [{ name: await defaultOf(next, client) }];
        const exports: ExportInfo[] = [];
        for await (const info of await next.exports(client)) exports.push(info);
        return exports;
      }
    }
  };

  return filter(
    "exportname",
    async (_disk, request) => {
      if (describing === undefined) return {};
      return { description: (await described(request.exportName, describing, request)).description };
    },
    hooks,
  );
}

type Describing = (name: string, client: ClientInfo) => Awaitable<string | undefined>;

async function described(name: string, describing: Describing, client: ClientInfo): Promise<ExportInfo> {
  const description = await describing(name, client);
  return description === undefined ? { name } : { name, description };
}

/** Undefined leaves the descriptions as they are. */
function toDescribing(describe: NonNullable<ExportNameOptions["describe"]>): Describing | undefined {
  if (describe === "keep") return undefined;
  if (describe === "none") return () => undefined;
  if (typeof describe === "function") return describe;
  if (typeof describe?.script === "string") return ofScript(describe.script);
  throw new DiskError("EINVAL", `describe ${JSON.stringify(describe)}: expected keep, none, a function or { script }`);
}

/** No description is longer, in bytes. */
const MAX_DESCRIPTION = 4096;

function ofScript(script: string): Describing {
  return async (name, { signal }) => {
    const { code, stdout } = await runChild("/bin/sh", ["-c", script], {
      env: { name },
      signal,
      maxOutput: MAX_DESCRIPTION,
      truncate: true,
    });
    const text = stdout
      .subarray(0, MAX_DESCRIPTION)
      .toString()
      .replace(/\uFFFD+$/, "")
      .trimEnd();
    return (code === 0 || stdout.length >= MAX_DESCRIPTION) && text !== "" ? text : undefined;
  };
}

function checkName(name: string): void {
  if (typeof name === "string" && !name.includes("\0") && Buffer.byteLength(name) <= 4096) return;
  throw new DiskError("EINVAL", `the export name ${JSON.stringify(name)}: expected at most 4096 bytes of UTF-8 without NUL`);
}
