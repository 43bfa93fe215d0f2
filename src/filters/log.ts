// `log`: every request written down, in nbdkit's format.

import type { Writable } from "node:stream";
import { type Witness, type Witnessed, witnessed } from "../common/witnessed.ts";
import { wrappingFilter } from "../common/wrapping.ts";
import type { Awaitable } from "../contract/awaitable.ts";
import type { Extent } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import { everyStep } from "../contract/every-step.ts";
import { filter } from "../contract/filter.ts";
import type { ExtentFlags, WriteFlags, ZeroFlags } from "../contract/flags.ts";
import type { ClientInfo, Concurrency, ExportInfo, Filter, Plugin } from "../contract/plugin.ts";
import { describeDisk, describeExtents, hex, type LogEntry, outcome, quote } from "./log/format.ts";
import { appOutlet, fileOutlet, type Outlet, scriptOutlet } from "./log/outlets.ts";
import { wallTime } from "./log/wall-time.ts";

export type { LogEntry } from "./log/format.ts";

/** Where {@link log} writes. Nothing given: it does nothing. */
export interface LogOptions {
  /** A file for the lines, made when the disk starts. */
  readonly file?: string;
  /** Adds to what is in the file. Default: false, it is emptied first. */
  readonly append?: boolean;
  /** A script of the shell, run for each entry with the variables `act`, `type`, `connection`, `id`, `offset` and so on. */
  readonly script?: string;
  /** A function that gets each line, without its end, and what it says; or a stream. */
  readonly to?: ((line: string, entry: LogEntry) => void) | Writable;
  /** Milliseconds since 1970, for the timestamps. Default: the time of this machine. */
  readonly now?: () => number;
}

/**
 * Writes down what clients do: connecting, each request and what became of it. Nearest the client it shows what that one asks for; further down,
 * what the filters above made of it.
 *
 * @throws DiskError EINVAL for options that are not what they should be
 * @example
 * ```ts
 * const disk = pipe(memory("1G"), log({ file: "disk.log" }));
 * ```
 * @example Lines to the app's own log
 * ```ts
 * const disk = pipe(memory("1G"), log({ to: (line) => console.log(line) }));
 * ```
 */
export function log(options: LogOptions = {}): Filter {
  const { now = wallTime } = options;
  const outlets = outletsOf(options);
  if (outlets.length === 0) return filter("log", () => ({}));
  const waits = options.script !== undefined;
  const write = (entry: Omit<LogEntry, "time">): Awaitable<void> => {
    const timed = { time: now(), ...entry };
    let wait: Awaitable<void> | undefined;
    for (const outlet of outlets) wait = outlet.write(timed) ?? wait;
    return wait;
  };
  /** Something that is about no client in particular, before and after. */
  const around = async <T>(
    action: "Preconnect" | "ListExports",
    id: number,
    before: string,
    perform: () => Awaitable<T>,
    say: (value: T) => string,
  ): Promise<T> => {
    await write({ action, type: "ENTER", id, parameters: before });
    let value: T;
    try {
      value = await perform();
    } catch (error) {
      await write({ action, type: "LEAVE", id, parameters: outcome({ error }) });
      throw error;
    }
    await write({ action, type: "LEAVE", id, parameters: `${say(value)}${outcome(undefined)}` });
    return value;
  };
  let connections = 0;
  let preconnects = 0;
  let lists = 0;

  return wrappingFilter(
    "log",
    async (disk, request) => {
      connections += 1;
      const connection = connections;
      await write({ action: "Connect", type: "PRINT", connection, parameters: describeDisk(disk, request) });
      const witness = new Requests(connection, write);
      return {
        ...witnessed(disk, witness, !waits),
        close: () => write({ action: "Disconnect", type: "PRINT", connection, parameters: `transactions=${witness.count}` }),
      };
    },
    {
      async start(next) {
        for (const outlet of outlets) outlet.open?.();
        await write({ action: "Ready", type: "PRINT", parameters: `thread_model=${threadModels[next.concurrency ?? "parallel"]}` });
        await write({ action: "Fork", type: "PRINT", parameters: "" });
      },
      preconnect(next, peer) {
        preconnects += 1;
        return around(
          "Preconnect",
          preconnects,
          "readonly=0",
          () => next.preconnect?.(peer),
          () => "",
        );
      },
      exports(next, client) {
        lists += 1;
        const about = `readonly=${Number(client.readonly)} tls=${Number(client.tls)}`;
        const say = (list: readonly ExportInfo[]): string => `exports=(${list.map(({ name }) => quote(name)).join(" ")}) `;
        return around("ListExports", lists, about, () => listed(next, client), say);
      },
      close: () => everyStep(...outlets.map((outlet) => () => outlet.close?.())),
    },
  );
}

/** nbdkit's numbers. */
const threadModels: Readonly<Record<Concurrency, number>> = { parallel: 3, connection: 2, plugin: 1 };

function outletsOf({ file, append = false, script, to }: LogOptions): readonly Outlet[] {
  for (const [name, value] of Object.entries({ file, script })) {
    if (value !== undefined && (typeof value !== "string" || value === ""))
      throw new DiskError("EINVAL", `${name} ${JSON.stringify(value)}: expected ${name === "file" ? "a path" : "a script of the shell"}`);
  }
  if (typeof append !== "boolean") throw new DiskError("EINVAL", `append ${String(append)}: expected true or false`);
  if (to !== undefined && typeof to !== "function" && typeof (to as Partial<Writable> | null)?.write !== "function")
    throw new DiskError("EINVAL", `to ${String(to)}: expected a function or a stream`);
  return [
    ...(file === undefined ? [] : [fileOutlet(file, append)]),
    ...(script === undefined ? [] : [scriptOutlet(script)]),
    ...(to === undefined ? [] : [appOutlet(to)]),
  ];
}

/** The exports of a plugin, as a server lists them. */
async function listed(next: Plugin, client: ClientInfo): Promise<readonly ExportInfo[]> {
  if (next.exports === undefined) return [{ name: (await next.defaultExport?.(client)) ?? "" }];
  const list: ExportInfo[] = [];
  for await (const info of await next.exports(client)) if (list.push(info) === MAX_LISTED) break;
  return list;
}

/** A server shows no more. */
const MAX_LISTED = 10_000;

const actions: Readonly<Record<Witnessed, LogEntry["action"]>> = {
  read: "Read",
  write: "Write",
  flush: "Flush",
  trim: "Trim",
  zero: "Zero",
  extents: "Extents",
  cache: "Cache",
};

/** A request that is under way. */
interface Token {
  readonly action: LogEntry["action"];
  readonly id: number;
}

/** Writes down one client's requests. */
class Requests implements Witness<Token> {
  /** How many there were. */
  count = 0;
  readonly #connection: number;
  readonly #write: (entry: Omit<LogEntry, "time">) => Awaitable<void>;

  constructor(connection: number, write: (entry: Omit<LogEntry, "time">) => Awaitable<void>) {
    this.#connection = connection;
    this.#write = write;
  }

  entered(
    operation: Witnessed,
    offset: bigint,
    length: bigint | number,
    flags: Partial<WriteFlags & ZeroFlags & ExtentFlags> | undefined,
  ): Token {
    this.count += 1;
    const token = { action: actions[operation], id: this.count };
    const range = operation === "flush" ? "" : `offset=${hex(offset)} count=${hex(length)}`;
    void this.#write({ ...token, type: "ENTER", connection: this.#connection, parameters: `${range}${describeFlags(operation, flags)}` });
    return token;
  }

  left(token: Token, failure: { readonly error: unknown } | undefined, extents: readonly Extent[] | undefined): Awaitable<void> {
    const found = extents === undefined ? "" : `${describeExtents(extents)} `;
    return this.#write({ ...token, type: "LEAVE", connection: this.#connection, parameters: `${found}${outcome(failure)}` });
  }
}

function describeFlags(operation: Witnessed, flags: Partial<WriteFlags & ZeroFlags & ExtentFlags> = {}): string {
  const { fua = false, noHole = false, fastZero = false, reqOne = false } = flags;
  switch (operation) {
    case "write":
    case "trim":
      return ` fua=${Number(fua)}`;
    case "zero":
      return ` trim=${Number(!noHole)} fua=${Number(fua)} fast=${Number(fastZero)}`;
    case "extents":
      return ` req_one=${Number(reqOne)}`;
    default:
      return "";
  }
}
