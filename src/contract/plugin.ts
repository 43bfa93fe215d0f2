// Where a disk comes from: a named thing that opens a Connection for each client.

import type { Awaitable } from "./awaitable.ts";
import type { Connection } from "./connection.ts";

/**
 * Where a disk comes from. A plain object or an instance of a class: there is nothing to extend. Only `name` and `open` are required.
 *
 * @example A disk that counts its clients
 * ```ts
 * let clients = 0;
 * const counted: Plugin = {
 *   name: "counted",
 *   open() {
 *     clients += 1;
 *     const text = Buffer.from(`client ${clients}`.padEnd(512));
 *     return { size: 512n, read: (target, offset) => void target.set(text.subarray(Number(offset), Number(offset) + target.length)) };
 *   },
 * };
 * ```
 */
export interface Plugin {
  /** Letters, digits and dashes: what errors, logs and the command line call it. */
  readonly name: string;
  /**
   * How many requests it can work on at once; known when it has started at the latest. Default: `parallel`. A plugin that opens a `Disk` of its own
   * sees to it itself.
   */
  readonly concurrency?: Concurrency;
  /** Called once, before the first client. Throw to refuse service. */
  start?(context: StartContext): Awaitable<void>;
  /** A client has connected and nothing has been sent to it. Throw to drop it so. */
  preconnect?(peer: Peer): Awaitable<void>;
  /** The exports to show a client that asks for a list. Default: the default export alone. */
  exports?(client: ClientInfo): Awaitable<Iterable<ExportInfo> | AsyncIterable<ExportInfo>>;
  /** The name that an empty export name stands for. Default: the empty name. */
  defaultExport?(client: ClientInfo): Awaitable<string>;
  /**
   * Opens the disk for one client, after negotiation and TLS. Throw to refuse this export: the text of a `DiskError` is shown to the client,
   * that of another error is told to the app alone. A `Disk`, as another plugin or a remote export gives it, is a connection too.
   */
  open(request: OpenRequest): Awaitable<Connection>;
  /** Called once, when the server or the in-process owner is done and every connection is closed. */
  close?(): Awaitable<void>;
}

/**
 * How many requests may be under way at once: any number (`parallel`), one per connection (`connection`) or one in the whole plugin
 * (`plugin`). The others wait in a queue. In a stack the strictest wins.
 */
export type Concurrency = "parallel" | "connection" | "plugin";

/** What a plugin gets to know when it starts. */
export interface StartContext {
  /** Aborted when the server, or the in-process owner, closes, or does not wait for the start any more. */
  readonly signal: AbortSignal;
  /** Asks every server of this plugin to close, as if its app had: answered requests go out, then clients are let go. In process it does nothing. */
  shutdown(): void;
}

/** Who is at the other end. */
export interface Peer {
  /** How the client came. */
  readonly transport: "tcp" | "unix" | "stdio" | "stream" | "process";
  /** The client's IP address (`tcp`). */
  readonly address?: string;
  /** The client's port (`tcp`). */
  readonly port?: number;
  /** The process that connected (`unix`), where the system tells, and koffi is installed to ask it. Looked up when it is read. */
  readonly process?: PeerProcess | undefined;
  /** Aborted when the client goes, also one that never opens anything. Absent where nobody can tell. */
  readonly signal?: AbortSignal;
}

/** Who runs a client: numbers of the process, its user and its group, as they were when it connected. */
export interface PeerProcess {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What is known of a client while it negotiates. */
export interface ClientInfo {
  /** Who is at the other end. */
  readonly peer: Peer;
  /** Whether the server will refuse writes. */
  readonly readonly: boolean;
  /** Whether the connection is encrypted. */
  readonly tls: boolean;
  /** Aborted when the client goes or the server closes: pass it to fetch, timers and the like. */
  readonly signal: AbortSignal;
}

/** A client's wish to use an export. */
export interface OpenRequest extends ClientInfo {
  /** Which export, after {@link Plugin.defaultExport} had its say; empty is a name like any other. */
  readonly exportName: string;
  /**
   * Lets this client go: after the answers to what it has asked for so far, or `immediately`, without them. In process, the disk's
   * signal is aborted if `immediately`.
   */
  disconnect(options?: { readonly immediately?: boolean }): void;
}

/** An export as a list shows it. */
export interface ExportInfo {
  /** At most 4096 bytes of UTF-8. */
  readonly name: string;
  /** A text for people; at most 4096 bytes of UTF-8. */
  readonly description?: string;
}

/** A disk seen through something: decrypted, sliced, delayed, recorded. Made with the {@link filter} helper, put together by {@link pipe}. */
export type Filter = (next: Plugin) => Plugin;
