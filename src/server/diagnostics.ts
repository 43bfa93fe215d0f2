// What the server tells about itself: channels of node:diagnostics_channel, free while nobody listens.

import { type Channel, channel, subscribe } from "node:diagnostics_channel";
import { debuglog } from "node:util";
import { errorText } from "../contract/error.ts";
import type { Peer } from "../contract/plugin.ts";

/** A client has connected: `diskwright:server.connection.open`; it is gone: `diskwright:server.connection.close`. */
export interface ConnectionEvent {
  /** Counts the connections of this server. */
  readonly connection: number;
  readonly peer: Peer;
  /** The export, once the client has chosen one. */
  readonly exportName: string | undefined;
  /** Why the connection ended, if not because the client wished to. */
  readonly reason?: string;
}

/**
 * A request has arrived: `diskwright:server.request.start`; it was answered: `diskwright:server.request.end`; it failed:
 * `diskwright:server.request.error`, which costs nothing for requests that succeed.
 */
export interface RequestEvent {
  readonly connection: number;
  /** `read write disc flush trim cache write_zeroes block_status`, or the number of an unknown one. */
  readonly command: string;
  readonly flags: number;
  /** The client's cookie, as 16 hexadecimal digits. */
  readonly cookie: string;
  readonly offset: bigint;
  readonly length: bigint;
  /** What went wrong, if anything did (`end`, `error`). The client is told its text only if it is a DiskError. */
  readonly error?: unknown;
}

/** Something failed that no reply could carry: `diskwright:server.error`. */
export interface ErrorEvent {
  readonly connection?: number;
  /** What was being done. */
  readonly during: string;
  readonly error: unknown;
}

export const connectionOpen: Channel = channel("diskwright:server.connection.open");
export const connectionClose: Channel = channel("diskwright:server.connection.close");
export const requestStart: Channel = channel("diskwright:server.request.start");
export const requestEnd: Channel = channel("diskwright:server.request.end");
export const requestError: Channel = channel("diskwright:server.request.error");
export const serverError: Channel = channel("diskwright:server.error");

const names = ["read", "write", "disc", "flush", "trim", "cache", "write_zeroes", "block_status"];

/** Tells of an error that nobody waits for: on its channel, or where nobody listens as a warning of the process. */
export function reportError(event: ErrorEvent): void {
  if (serverError.hasSubscribers) serverError.publish(event);
  else process.emitWarning(`diskwright: ${event.during} failed: ${errorText(event.error)}`, "DiskwrightWarning");
}

/** Describes a request for its channels. */
export function requestEvent(
  connection: number,
  header: { type: number; flags: number; cookieHigh: number; cookieLow: number; offset: bigint },
  length: bigint,
): RequestEvent {
  const { type, flags, cookieHigh, cookieLow, offset } = header;
  const cookie = cookieHigh.toString(16).padStart(8, "0") + cookieLow.toString(16).padStart(8, "0");
  return { connection, command: names[type] ?? String(type), flags, cookie, offset, length };
}

let logging = false;

/** Makes `NODE_DEBUG=diskwright` print the events to standard error. */
export function logIfAsked(): void {
  const log = debuglog("diskwright");
  if (logging || !log.enabled) return;
  logging = true;
  subscribe("diskwright:server.connection.open", (event) =>
    log("connection %d from %j", (event as ConnectionEvent).connection, (event as ConnectionEvent).peer),
  );
  subscribe("diskwright:server.connection.close", (event) => {
    const { connection, exportName, reason } = event as ConnectionEvent;
    log("connection %d is over, export %j%s", connection, exportName, reason === undefined ? "" : `: ${reason}`);
  });
  subscribe("diskwright:server.request.end", (event) => {
    const { connection, command, flags, offset, length, error } = event as RequestEvent;
    log(
      "connection %d: %s flags=%d offset=%d length=%d %s",
      connection,
      command,
      flags,
      offset,
      length,
      error === undefined ? "ok" : String(error),
    );
  });
  subscribe("diskwright:server.error", (event) => log("%s: %o", (event as ErrorEvent).during, (event as ErrorEvent).error));
}
