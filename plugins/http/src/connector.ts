// How connections are made: by undici's own means, but that plain sockets read into one buffer that is used again and again. undici would have
// Node allocate one for each read: a range of 256 KiB takes 300 to 400 µs of processor time, and took 640 to 1100.

import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import type { buildConnector } from "undici";
import buildUndici from "undici/lib/core/connect.js";

/** Bytes of a socket's buffer. */
const BUFFER = 256 * 1024;

/** Makes the connector of an agent; `options` are those of undici's. */
export function connector(options: buildConnector.BuildOptions & { readonly timeout: number }): buildConnector.connector {
  const usual = buildUndici(options);
  return (wanted, callback) => {
    if (wanted.protocol !== "http:" || wanted.httpSocket !== undefined) {
      usual(wanted, callback);
      return;
    }
    let answered = false;
    const answer = (error: Error | undefined): void => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      if (error === undefined) callback(null, socket);
      else callback(error, null);
    };
    const { hostname: host, port } = wanted;
    const socket = reusing(options.socketPath ? { path: options.socketPath } : { host, port: Number(port || 80), autoSelectFamily: true });
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    socket.once("connect", () => answer(undefined)).on("error", answer);
    const late = (): void => {
      socket.destroy(Object.assign(new Error(`no connection after ${options.timeout} ms`), { code: "UND_ERR_CONNECT_TIMEOUT" }));
    };
    const timer = options.timeout > 0 ? setTimeout(late, options.timeout) : undefined;
  };
}

/** A socket whose `read()` lends what has arrived until the next one, as undici's parser copies it at once. */
function reusing(where: Pick<TcpNetConnectOpts, "host" | "port" | "autoSelectFamily"> | { readonly path: string }): Socket {
  let arrived: Uint8Array | undefined;
  const socket = connect({
    ...(where as TcpNetConnectOpts),
    onread: {
      buffer: Buffer.allocUnsafeSlow(BUFFER),
      callback(length: number, bytes: Uint8Array): boolean {
        arrived = bytes.subarray(0, length);
        socket.emit("readable");
        // Not taken: nothing more is read until it is.
        return arrived === undefined;
      },
    },
  });
  const start = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    // Node's own way of having a socket begin to read, or notice that it has ended.
    if (size === 0 || arrived === undefined) return start(0) as null;
    const taken = arrived as Buffer;
    arrived = undefined;
    return taken;
  };
  return socket;
}
