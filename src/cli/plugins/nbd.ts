// `nbd` on the command line.

import { type NbdOptions, type NbdTarget, nbd } from "../../index.ts";
import { DEFAULT_PORT, formatUri } from "../../protocol/uri.ts";
import { type OptionsOf, type PluginEntry, pluginEntry } from "../catalogue.ts";

const tls = { type: "string", help: "TLS is not there yet" } as const;

const keys = {
  uri: { type: "string", magic: true, help: "The export: nbd://host[:port]/export or nbd+unix:///export?socket=/path" },
  hostname: { type: "string", help: "The server's name or address" },
  port: { type: "string", default: "10809", help: "The server's port" },
  socket: { type: "path", help: "The server's unix socket" },
  "socket-fd": { type: "integer", help: "File descriptor of a socket that is connected to the server" },
  command: { type: "string", help: "A server to start, which knows socket activation: qemu-nbd" },
  arg: { type: "string", repeatable: true, help: "An argument of the command" },
  export: { type: "string", help: "The export, where there is no uri (default: the server's default export)" },
  retry: { type: "integer", default: "0", help: "How often to try again, each second, when the server cannot be reached" },
  shared: { type: "boolean", help: "One connection for all clients (default: only with command= and socket-fd=)" },
  "dynamic-export": { type: "boolean", default: "false", help: "Clients choose the server's export" },
  context: { type: "string", repeatable: true, help: "A block-status context of the server's to pass on: qemu:dirty-bitmap:NAME" },
  connections: { type: "integer", default: "1", help: "Connections to use where the server allows several" },
  tls: { type: "choice", values: ["off", "on", "require"], default: "off", help: "Only off: TLS is not there yet" },
  "tls-certificates": tls,
  "tls-verify": tls,
  "tls-username": tls,
  "tls-psk": tls,
  vsock: { type: "string", help: "Node.js has no vsock sockets" },
} as const;

type Options = OptionsOf<typeof keys>;

export const nbdEntry: PluginEntry = pluginEntry({
  name: "nbd",
  summary: "A disk that another NBD server exports",
  keys,
  create: (options) => nbd(targetOf(options), optionsOf(options)),
});

function targetOf(options: Options): NbdTarget {
  refuseTls(options);
  const { uri, hostname, socket, command, "socket-fd": fd, export: exportName = "" } = options;
  const ways = Object.entries({ uri, hostname, socket, command, "socket-fd": fd }).filter(([, value]) => value !== undefined);
  if (ways.length !== 1) {
    const given = ways.length === 0 ? "none of them was given" : `${ways.map(([key]) => `${key}=`).join(" and ")} were given`;
    throw new Error(`where the server is has to be said in one way, by uri=, hostname=, socket=, command= or socket-fd=: ${given}`);
  }
  if (options.port !== undefined && hostname === undefined) throw new Error("port= belongs to hostname=");
  if (options.arg !== undefined && command === undefined) throw new Error("arg= belongs to command=");
  if (options.export !== undefined && uri !== undefined) throw new Error("export= and uri= say the same: write the export into the URI");
  if (options.export !== undefined && options["dynamic-export"]) throw new Error("export= says what clients say with dynamic-export=");
  if (hostname !== undefined) return formatUri({ transport: "tcp", host: hostname, port: portOf(options.port), exportName });
  if (socket !== undefined) return formatUri({ transport: "unix", path: socket, exportName });
  if (command !== undefined) return { command: [command, ...(options.arg ?? [])], exportName };
  return fd === undefined ? (uri as string) : { fd, exportName };
}

function optionsOf({ retry, shared, context, connections, "dynamic-export": dynamicExport }: Options): NbdOptions {
  return {
    ...(retry !== undefined && { retry }),
    ...(shared !== undefined && { shared }),
    ...(dynamicExport !== undefined && { dynamicExport }),
    ...(context !== undefined && { contexts: context }),
    ...(connections !== undefined && { connections }),
  };
}

function portOf(text: string | undefined): number {
  if (text === undefined || text === "nbd") return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new Error(`port ${JSON.stringify(text)}: expected a number from 1 to 65535`);
}

function refuseTls({ tls: mode, vsock, ...options }: Options): void {
  const tlsKey = (["tls-certificates", "tls-verify", "tls-username", "tls-psk"] as const).find((key) => options[key] !== undefined);
  const key = mode === "on" || mode === "require" ? `tls=${mode}` : tlsKey && `${tlsKey}=`;
  if (key !== undefined) throw new Error(`${key}: TLS is not there yet: use a unix socket, an ssh tunnel (ssh -L), or a trusted network`);
  if (vsock !== undefined) throw new Error("vsock=: Node.js has no vsock sockets: use hostname= or socket=");
}
