// The nbd plugin: a disk that another NBD server exports. Our client as a plugin.

import { type ConnectOptions, connect, connectStream, formatUri, listExports, parseUri, type UriParts } from "../client/index.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import type { Connection } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { everyStep, failAfter } from "../contract/every-step.ts";
import type { Plugin } from "../contract/plugin.ts";
import { socketOf } from "./nbd/descriptor.ts";
import { lent } from "./nbd/lent.ts";
import { type RunningServer, runServer } from "./nbd/run-server.ts";

/** Where the server is. */
export type NbdTarget =
  /** `nbd://host[:port]/export` or `nbd+unix:///export?socket=path`. */
  | string
  /** A program, with its arguments, that is a server and knows socket activation, as qemu-nbd does. It is started and ended with the plugin. */
  | { readonly command: readonly [program: string, ...args: string[]]; readonly exportName?: string }
  /** A socket that is connected to the server already, as a file descriptor of this process. It can be used once. */
  | { readonly fd: number; readonly exportName?: string };

/** How {@link nbd} uses the server. */
export interface NbdOptions extends Pick<ConnectOptions, "timeout" | "requestTimeout" | "connections" | "contexts" | "replies"> {
  /**
   * `true`: one connection, opened when the plugin starts, which all clients share. `false`: one for each client, opened when it comes. Default:
   * `false` for a URI; a command or descriptor is always shared.
   */
  readonly shared?: boolean;
  /** Clients choose the export: the name that they ask for is asked of the server, whose list they are shown. Default: false. */
  readonly dynamicExport?: boolean;
  /** How often to try again, a second later, when the server cannot be reached or refuses. Default: 0. */
  readonly retry?: number;
  /** The time, for tests. Default: that of the system. */
  readonly clock?: Clock;
}

/**
 * A disk that another NBD server exports. What that one can do, this one can: capabilities, extents, block sizes and the description are passed
 * through, and so are the block-status contexts that `contexts` names. With it filters can be laid over any disk, and qcow2 images be used by way
 * of qemu-nbd.
 *
 * A connection that breaks stays broken: its clients' requests fail, and a client that comes later gets a new one, unless it is shared.
 *
 * @param target - a URI, or a command or file descriptor
 * @throws DiskError EINVAL when the target or an option is not what it should be
 * @example A slice of a remote disk
 * ```ts
 * const slice = pipe(nbd("nbd://backup.example/disk1"), offset({ offset: "1M", range: "500M" }));
 * ```
 * @example A qcow2 image
 * ```ts
 * await using disk = await openDisk(nbd({ command: ["qemu-nbd", "--format=qcow2", "/images/disk.qcow2"] }));
 * ```
 */
export function nbd(target: NbdTarget, options: NbdOptions = {}): Plugin {
  const settings = check(target, options);
  return settings.shared ? sharedPlugin(target, settings) : ownPlugin(parseUri(target as string), settings);
}

type Settings = NbdOptions & Required<Pick<NbdOptions, "shared" | "dynamicExport" | "retry" | "clock">>;

/** A connection for each client. */
function ownPlugin(parts: UriParts, settings: Settings): Plugin {
  const { dynamicExport } = settings;
  return {
    name: "nbd",
    ...(dynamicExport && { exports: ({ signal }) => listExports(formatUri(parts), { ...reach(settings), signal }) }),
    open({ exportName, readonly, signal }) {
      const uri = formatUri(dynamicExport ? { ...parts, exportName } : parts);
      return withRetries(settings, signal, () => connect(uri, { ...connectOptions(settings), readonly, signal }));
    },
  };
}

/** One connection for all. */
function sharedPlugin(target: NbdTarget, settings: Settings): Plugin {
  let server: RunningServer | undefined;
  let disk: Disk | undefined;

  const connectTo = (): Promise<Disk> => {
    const options = connectOptions(settings);
    if (typeof target === "string") return connect(target, options);
    const { exportName = "" } = target;
    if (server !== undefined) return connect(formatUri({ transport: "unix", path: server.path, exportName }), options);
    return connectStream(socketOf((target as { readonly fd: number }).fd), { ...options, exportName });
  };
  return {
    name: "nbd",
    async start({ signal }) {
      if (typeof target === "object" && "command" in target) server = await runServer(target.command);
      try {
        disk = await withRetries(settings, signal, connectTo);
      } catch (error) {
        await failAfter(server === undefined ? error : await server.explain(error), () => server?.stop());
      }
    },
    open({ readonly }): Connection {
      if (disk === undefined) throw new Error("nbd has not been started");
      return lent(disk, readonly);
    },
    close: () =>
      everyStep(
        () => disk?.close(),
        () => server?.stop(),
      ),
  };
}

async function withRetries<T>({ retry, clock }: Settings, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let left = retry; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || signal.aborted) throw error;
      await clock.sleep(1000, signal);
    }
  }
}

function reach({ timeout }: NbdOptions): Pick<ConnectOptions, "timeout"> {
  return timeout === undefined ? {} : { timeout };
}

function connectOptions({ requestTimeout, connections, contexts, replies, ...options }: NbdOptions): ConnectOptions {
  return {
    ...reach(options),
    ...(requestTimeout !== undefined && { requestTimeout }),
    ...(connections !== undefined && { connections }),
    ...(contexts !== undefined && { contexts }),
    ...(replies !== undefined && { replies }),
  };
}

function check(target: NbdTarget, options: NbdOptions): Settings {
  const refuse = (text: string): DiskError => new DiskError("EINVAL", text);
  const { dynamicExport = false, retry = 0, clock = systemClock } = options;
  const onlyOnce = typeof target !== "string";
  const shared = options.shared ?? onlyOnce;
  if (!Number.isInteger(retry) || retry < 0) throw refuse(`option retry: ${retry} is not a whole number from 0`);
  if (dynamicExport && shared)
    throw refuse(
      `option dynamicExport: clients that choose their exports need connections of their own: ${onlyOnce ? "use a URI" : "leave out shared"}`,
    );
  if (onlyOnce) {
    if (typeof target !== "object" || target === null)
      throw refuse(`nbd(): ${String(target)} is neither a URI nor a command or descriptor`);
    if (!shared) throw refuse("option shared: a command or descriptor is one connection: it cannot be false");
    if ("command" in target) {
      if (!Array.isArray(target.command) || target.command.length === 0 || target.command.some((word) => typeof word !== "string"))
        throw refuse(`option command: ${JSON.stringify(target.command)} is not a list of a program and its arguments`);
    } else if (!Number.isInteger(target.fd) || target.fd < 0) throw refuse(`option fd: ${String(target.fd)} is not a file descriptor`);
  } else parseUri(target);
  return { ...options, shared, dynamicExport, retry, clock };
}
