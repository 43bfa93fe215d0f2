// What connecting takes and what it gives.

import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import type { ReplyMode } from "../protocol/replies.ts";

/** How to reach a server. */
export interface ReachOptions {
  /** Ends whatever is under way: connecting, and afterwards the connection with all of its requests. */
  readonly signal?: AbortSignal;
  /** Milliseconds for connecting and negotiating. Default: 30,000; `Infinity` waits for ever. */
  readonly timeout?: number;
}

/** How to use an export. */
export interface ConnectOptions extends ReachOptions {
  /** Refuse writes on this side. Default: false; an export that the server calls read-only refuses them anyway. */
  readonly readonly?: boolean;
  /** Block-status contexts that must be there beside `base:allocation`, as `qemu:dirty-bitmap:NAME`. */
  readonly contexts?: readonly string[];
  /** Connections to use when the server says that several see the same disk; otherwise one is used. Default: 1. */
  readonly connections?: number;
  /**
   * Milliseconds that the server has for answering a request. A server that takes longer is given up: NBD cannot take a request back, so the
   * connection is closed and everything under way fails. Default: `Infinity`.
   */
  readonly requestTimeout?: number;
  /** The most to ask the server for: extended headers, structured replies or simple ones. Default: `extended`. */
  readonly replies?: ReplyMode;
}

/** How to use an export over a stream that is open already. */
export interface ConnectStreamOptions extends Omit<ConnectOptions, "connections"> {
  /** Which export; default: the server's default export. */
  readonly exportName?: string;
}

/** An export of a server, opened. */
export interface RemoteDisk extends Disk {
  /** The server's own name for the export. */
  readonly exportName: string;
  /** Where it is; absent where the disk came over a stream. */
  readonly uri: string | undefined;
  /** What this client and the server agreed on. */
  readonly negotiated: Negotiated;
}

/** What a client and a server agreed on. */
export interface Negotiated {
  /** Replies come in chunks: reads with holes, errors with text and offset. */
  readonly structured: boolean;
  /** Headers are extended: lengths have 64 bits. Implies `structured`. */
  readonly extended: boolean;
  /** How many connections are in use. */
  readonly connections: number;
  /** Whether they are encrypted. */
  readonly tls: boolean;
  /** The export's transmission flags as they are on the wire. */
  readonly flags: number;
}

/** @throws DiskError EINVAL when an option is not what it should be */
export function checkOptions(options: ConnectOptions): void {
  checkTimeout("timeout", options.timeout);
  checkTimeout("requestTimeout", options.requestTimeout);
  const { connections = 1, contexts = [], replies = "extended" } = options;
  if (!Number.isInteger(connections) || connections < 1 || connections > 64)
    throw refuse("connections", connections, "a whole number from 1 to 64");
  if (!["simple", "structured", "extended"].includes(replies)) throw refuse("replies", replies, '"simple", "structured" or "extended"');
  for (const context of contexts) {
    if (!/^[^:\0]+:[^\0]+$/.test(context)) throw refuse("contexts", context, "namespace:name");
  }
}

/** @throws DiskError EINVAL when a time is none */
export function checkTimeout(name: string, value: number | undefined): void {
  if (value !== undefined && !(value > 0)) throw refuse(name, value, "milliseconds above 0, or Infinity");
}

function refuse(name: string, value: unknown, allowed: string): DiskError {
  return new DiskError("EINVAL", `option ${name}: ${typeof value === "string" ? JSON.stringify(value) : String(value)} is not ${allowed}`);
}
