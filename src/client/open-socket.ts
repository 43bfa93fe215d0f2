// A socket to a server, read into one buffer that is used again and again, or straight into the buffer that a read is for.

import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { DiskError } from "../contract/error.ts";
import { formatUri, type UriParts } from "../protocol/uri.ts";
import { Channel } from "./channel.ts";

const RECEIVE_BUFFER = 256 * 1024;
/** The longest path of a unix socket, in bytes. Node.js cuts longer ones off and connects to something else. */
const MAX_PATH: number = process.platform === "linux" ? 107 : 103;

/** Begins to connect; how that goes, the channel's owner hears. */
export function openSocket(to: UriParts): Channel {
  if (to.transport === "unix" && process.platform !== "win32" && Buffer.byteLength(to.path) > MAX_PATH) {
    throw new DiskError(
      "ENAMETOOLONG",
      `${formatUri(to)}: the path of a unix socket has at most ${MAX_PATH} bytes, this one has ${Buffer.byteLength(to.path)}`,
    );
  }
  const channel = new Channel();
  const own = Buffer.allocUnsafeSlow(RECEIVE_BUFFER);
  let direct: Uint8Array | undefined;
  const onread = {
    buffer: (): Uint8Array => {
      direct = channel.space();
      return direct ?? own;
    },
    callback: (count: number): boolean => {
      if (direct === undefined) channel.receive(own.subarray(0, count));
      else channel.received(count);
      return true;
    },
  };
  const where = to.transport === "unix" ? { path: to.path } : { host: to.host, port: to.port, noDelay: true };
  channel.use(connect({ ...where, onread }), false);
  return channel;
}

/** A channel over any stream. */
export function useStream(stream: Duplex): Channel {
  if (stream.destroyed || !stream.readable || !stream.writable) {
    throw new DiskError("EINVAL", "the stream to the server cannot be used: it is closed, or not open in both directions");
  }
  const channel = new Channel();
  channel.use(stream, true);
  return channel;
}
