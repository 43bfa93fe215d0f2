// Opening an export of an NBD server as a Disk.

import type { Duplex } from "node:stream";
import { complete } from "../contract/complete.ts";
import { DiskError } from "../contract/error.ts";
import { parseUri } from "../protocol/uri.ts";
import type { Channel } from "./channel.ts";
import { openSessions } from "./open-sessions.ts";
import { openSocket, useStream } from "./open-socket.ts";
import { type ConnectOptions, type ConnectStreamOptions, checkOptions, type RemoteDisk } from "./options.ts";
import { remoteConnection } from "./remote-connection.ts";
import type { Session } from "./session.ts";

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
    return await openExport(() => openSocket(parts), parts.exportName, uri, options);
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
  return openExport(() => useStream(stream), options.exportName ?? "", undefined, options);
}

/** Says which server an error is about. */
export function about(uri: string, error: unknown): unknown {
  return DiskError.is(error) ? new DiskError(error.code, `${uri}: ${error.message}`, { cause: error }) : error;
}

async function openExport(open: () => Channel, exportName: string, uri: string | undefined, options: ConnectOptions): Promise<RemoteDisk> {
  const sessions = await openSessions(open, exportName, options);
  const { agreement } = sessions.list[0] as Session;
  return Object.assign(complete(remoteConnection(sessions, options.readonly ?? false), { name: "the server" }), {
    exportName: agreement.exportName,
    uri,
    negotiated: Object.freeze({
      structured: agreement.mode !== "simple",
      extended: agreement.mode === "extended",
      connections: sessions.list.length,
      tls: false,
      flags: agreement.flags,
    }),
  });
}
