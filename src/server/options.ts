// What serve() takes and what it gives.

import type { Duplex } from "node:stream";
import type { ExportInfo, Peer, Plugin } from "../contract/plugin.ts";

/** What is served: one plugin, which gets every export name, or a map of export names to plugins (`""` is the default export). */
export type Source = Plugin | Readonly<Record<string, Plugin | Export>> | ReadonlyMap<string, Plugin | Export>;

/** One export of a server. */
export interface Export {
  /** Where its disk comes from. */
  readonly plugin: Plugin;
  /** Refuse writes. Default: what {@link ServeOptions.readonly} says. */
  readonly readonly?: boolean;
  /** A text for people; default: what the disk says of itself. */
  readonly description?: string;
}

/** Where and how to serve. Without `unix`, `port`, `host`, `fd` and `stdio`: on a private unix socket, or loopback TCP where there is none. */
export interface ServeOptions {
  /** The path of a unix socket; `true`: a private one in a new directory. Both are removed on close. */
  readonly unix?: string | boolean;
  /** A TCP port; 0 picks a free one. Default: 10809 when `host` is given. */
  readonly port?: number;
  /** The address or name to listen on. Default: `127.0.0.1`, which only this machine reaches; `0.0.0.0` and `::` are all of its addresses. */
  readonly host?: string;
  /** The number of an inherited listening socket, as socket activation passes it. */
  readonly fd?: number;
  /** Serve one client on this process's standard input and output, and close when it goes. */
  readonly stdio?: boolean;
  /** Listen nowhere: clients come by {@link Server.accept} alone. */
  readonly listen?: boolean;
  /** Refuse writes. Default: false. */
  readonly readonly?: boolean;
  /** The export that an empty name stands for in a map of exports. Default: the one named `""`, or the only one there is. */
  readonly defaultExport?: string;
  /** Bounds on what clients can make the server do. */
  readonly limits?: Partial<Limits>;
  /** Closes the server when aborted. While the plugin is still starting it is not waited for, and closed when it has started. */
  readonly signal?: AbortSignal;
  /**
   * Microseconds for which the server goes on looking for the next request before it sleeps, which shortens the answer to a client that sends one
   * request at a time. 0 always sleeps at once. Default: 100.
   */
  readonly busyPoll?: number;
}

/** Bounds on what clients can make the server do. Each is a number above 0; `Infinity` lifts it where noted. */
export interface Limits {
  /** Milliseconds from connecting to the end of negotiation (may be `Infinity`). Default: 30,000. */
  readonly handshakeTimeout: number;
  /** Options in one negotiation. Default: 256. */
  readonly options: number;
  /** Bytes of one option. Default: 65,536. Longer ones are refused. */
  readonly optionSize: number;
  /** Clients at the same time (may be `Infinity`). Default: 1,024. */
  readonly connections: number;
  /** Bytes of requests under way and of replies not yet taken, for each connection; reading stops above it. Default: 64 MiB. */
  readonly bytesInFlight: number;
  /** Requests under way for each connection; reading stops above it. Default: 1,024. */
  readonly requestsInFlight: number;
  /** The largest payload, advertised as the maximum block size. Longer writes are refused. Default: 32 MiB. */
  readonly payload: number;
  /** The longest read that is served. Default: 64 MiB. */
  readonly read: number;
  /** The longest refused write that is read and thrown away rather than ending the connection. Default: 128 MiB. */
  readonly drain: number;
}

/** A running server. */
export interface Server extends AsyncDisposable {
  /** How clients reach the default export: `nbd+unix:///?socket=…` or `nbd://…`; absent where the server listens nowhere. */
  readonly uri: string | undefined;
  /** Where the server listens. */
  readonly address: Address | undefined;
  /** How many clients are connected. */
  readonly connections: number;
  /** Settles when the server has closed, however that came about; rejects with what failed in closing. */
  readonly closed: Promise<void>;
  /** The URI of a named export. */
  uriOf(exportName: string): string | undefined;
  /** Serves a client on any stream: a socket, a pipe pair, a WebSocket. Settles when that client has left. */
  accept(stream: Duplex, peer?: Peer): Promise<void>;
  /** Adds an export, or replaces one for clients to come; those who have it open keep it. Only on a server of a map of exports. */
  add(name: string, source: Plugin | Export): Promise<void>;
  /** Takes an export away; clients that use it are closed as {@link Server.close} does. */
  remove(name: string, options?: CloseOptions): Promise<void>;
  /** The exports that clients are shown now. */
  exports(): Promise<readonly ExportInfo[]>;
  /**
   * Stops: no more clients, requests under way are finished or answered ESHUTDOWN at the deadline, idle clients are let go at once, exports are
   * closed. What fails while closing is thrown. Calling it again answers as the first call does.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** How to close. */
export interface CloseOptions {
  /** Milliseconds that requests under way have to finish (may be `Infinity`). Default: 5,000. */
  readonly deadline?: number;
}

/** A server that listens somewhere, and so has URIs. */
export interface ListeningServer extends Server {
  readonly uri: string;
  uriOf(exportName: string): string;
}

/** Where a server listens. */
export type Address =
  | { readonly transport: "unix"; readonly path: string }
  | { readonly transport: "tcp"; readonly host: string; readonly port: number };
