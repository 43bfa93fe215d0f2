// Opening an export of an NBD server as a Disk.

import type { Duplex } from "node:stream";
import { complete } from "../contract/complete.ts";
import { DiskError } from "../contract/error.ts";
import { type ExportAgreement, type ExportQuery, negotiateExport } from "../protocol/client-negotiation.ts";
import { TransmissionFlag } from "../protocol/constants.ts";
import { parseUri } from "../protocol/uri.ts";
import type { Channel } from "./channel.ts";
import { negotiate } from "./negotiate.ts";
import { openSocket, useStream } from "./open-socket.ts";
import { type ConnectOptions, type ConnectStreamOptions, checkOptions, type RemoteDisk } from "./options.ts";
import { remoteConnection } from "./remote-connection.ts";
import { Session } from "./session.ts";

/**
 * Opens an export of an NBD server. What the server can do becomes the disk's capabilities; what it cannot is emulated or refused as on any
 * {@link Disk}. Requests that are longer than the server takes go in pieces. Closing the disk waits for the requests under way.
 *
 * @param uri - `nbd://host[:port]/export` or `nbd+unix:///export?socket=path`
 * @throws DiskError with the code of the system error (`ECONNREFUSED` …), `ENOENT` when there is no such export, `ETIMEDOUT`, `ECONNRESET`,
 *   `EPROTO` when the server breaks the protocol, `ENOTSUP` when it has not what was asked for, `EINVAL` for a bad URI or option
 * @example
 * ```ts
 * await using disk = await connect("nbd://localhost/disk");
 * for (const extent of await disk.extents(0n, disk.size)) console.log(extent);
 * ```
 */
export async function connect(uri: string, options: ConnectOptions = {}): Promise<RemoteDisk> {
  checkOptions(options);
  const parts = parseUri(uri);
  try {
    return await openExport(() => openSocket(parts, options.signal), parts.exportName, uri, options);
  } catch (error) {
    throw about(uri, error);
  }
}

/**
 * Opens an export over a stream that is open already: one end of a pipe pair, a WebSocket, a child's standard input and output. The disk
 * owns the stream from here on.
 *
 * @throws as {@link connect} does
 */
export async function connectStream(stream: Duplex, options: ConnectStreamOptions = {}): Promise<RemoteDisk> {
  checkOptions(options);
  return openExport(() => useStream(stream, options.signal), options.exportName ?? "", undefined, options);
}

/** Says which server an error is about. */
export function about(uri: string, error: unknown): unknown {
  return DiskError.is(error) ? new DiskError(error.code, `${uri}: ${error.message}`, { cause: error }) : error;
}

async function openExport(open: () => Channel, exportName: string, uri: string | undefined, options: ConnectOptions): Promise<RemoteDisk> {
  const { signal, timeout, requestTimeout = Number.POSITIVE_INFINITY, replies = "extended", contexts = [], connections = 1 } = options;
  signal?.throwIfAborted();
  const query: ExportQuery = { exportName, replies, contexts };
  const sessions: Session[] = [];
  // A server that has let one connection down cannot be trusted with the others.
  const abort = (error: unknown): void => {
    for (const session of sessions) session.abort(error);
  };
  const openSession = async (): Promise<void> => {
    const channel = open();
    const agreement = await negotiate(channel, negotiateExport(query), timeout);
    if (sessions[0] !== undefined) checkSame(sessions[0].agreement, agreement, channel);
    sessions.push(new Session(channel, agreement, requestTimeout, abort));
  };
  await openSession();
  const { agreement } = sessions[0] as Session;
  try {
    if ((agreement.flags & TransmissionFlag.CAN_MULTI_CONN) !== 0 && connections > 1) {
      const results = await Promise.allSettled(Array.from({ length: connections - 1 }, openSession));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    }
    return remoteDisk(sessions, uri, options.readonly ?? false);
  } catch (error) {
    await Promise.all(sessions.map((session) => session.close()));
    throw error;
  }
}

function remoteDisk(sessions: readonly Session[], uri: string | undefined, readonly: boolean): RemoteDisk {
  const { agreement } = sessions[0] as Session;
  return Object.assign(complete(remoteConnection(sessions, readonly)), {
    exportName: agreement.exportName,
    uri,
    negotiated: Object.freeze({
      structured: agreement.mode !== "simple",
      extended: agreement.mode === "extended",
      connections: sessions.length,
      tls: false,
      flags: agreement.flags,
    }),
  });
}

/** Several connections must show one disk. */
function checkSame(first: ExportAgreement, other: ExportAgreement, channel: Channel): void {
  const differs = (["size", "flags", "mode", "exportName"] as const).find((key) => first[key] !== other[key]);
  const names = (agreement: ExportAgreement): string =>
    agreement.contexts
      .map(({ name }) => name)
      .sort()
      .join();
  if (differs === undefined && names(first) === names(other)) return;
  const what =
    differs === undefined
      ? `contexts ${names(first)} and ${names(other)}`
      : `${differs} ${String(first[differs])} and ${String(other[differs])}`;
  const error = new DiskError("EPROTO", `the connections to the server do not show the same disk: ${what}`);
  channel.fail(error);
  throw error;
}
