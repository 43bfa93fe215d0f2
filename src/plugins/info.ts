// The info plugin: a read-only disk that tells the client about itself and the server.

import { checkOneOf } from "../common/one-of.ts";
import { VERSION } from "../common/version.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { OpenRequest, Peer, Plugin } from "../contract/plugin.ts";

const modes: readonly InfoMode[] = ["exportname", "base64exportname", "address", "time", "uptime", "conntime", "version"];

/** What an {@link info} disk holds. */
export type InfoMode = "exportname" | "base64exportname" | "address" | "time" | "uptime" | "conntime" | "version";

/** How {@link info} works. */
export interface InfoOptions {
  /**
   * What the disk holds. `exportname`: the name that the client asked for. `base64exportname`: what that is in Base64. `address`: the client's IP
   * address and port, or `unix` and the like. `time`: the time of day, `uptime`: how long the server has run, `conntime`: how long the
   * client has had the disk, each at the moment of the read: seconds as a 64-bit and microseconds as a 32-bit big-endian number. `version`: of this
   * package. Default: `exportname`.
   */
  readonly mode?: InfoMode;
  /** What `uptime` and `conntime` are measured by. Default: the system's. */
  readonly clock?: Clock;
  /** The time of day, in milliseconds since 1970. Default: the system's. */
  readonly now?: () => number;
}

/**
 * A read-only disk that tells the client about itself and the server.
 *
 * @throws DiskError EINVAL when there is no such mode
 * @example A disk of five bytes
 * ```ts
 * await using disk = await openDisk(info(), { exportName: "hello" });
 * ```
 */
export function info(options: InfoOptions = {}): Plugin {
  const { mode = "exportname", clock = systemClock, now = Date.now } = options;
  checkOneOf("mode", mode, modes);
  let started = clock.now();
  return {
    name: "info",
    start() {
      started = clock.now();
    },
    open(request) {
      const since = (moment: number) => timer(() => clock.now() - moment);
      switch (mode) {
        case "time":
          return timer(now);
        case "uptime":
          return since(started);
        case "conntime":
          return since(clock.now());
        default:
          return bytesOf(mode, request);
      }
    },
  };
}

function bytesOf(mode: Exclude<InfoMode, "time" | "uptime" | "conntime">, { exportName, peer }: OpenRequest): Connection {
  switch (mode) {
    case "exportname":
      return fixed(Buffer.from(exportName), true);
    case "base64exportname":
      return fixed(fromBase64(exportName), true);
    case "address":
      return fixed(Buffer.from(addressOf(peer)), false);
    case "version":
      return fixed(Buffer.from(VERSION), true);
  }
}

/** As it stands in a URI: `127.0.0.1:1234`, `[::1]:1234`. How others came says nothing of their paths. */
function addressOf({ transport, address, port }: Peer): string {
  if (address === undefined) return transport;
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function fromBase64(text: string): Buffer {
  const digits = text.replaceAll(/\s/g, "");
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(digits)) return Buffer.from(digits, "base64");
  throw new DiskError("EINVAL", "the export name is no Base64");
}

/** @param shared - every connection that asks for the same sees the same */
function fixed(bytes: Buffer, shared: boolean): Connection {
  return {
    size: BigInt(bytes.length),
    traits: { multiConn: shared },
    read: (target, offset) => target.set(bytes.subarray(Number(offset), Number(offset) + target.length)),
    cache: () => undefined,
  };
}

/** Twelve bytes that hold a time in milliseconds, as it is when they are read. */
function timer(milliseconds: () => number): Connection {
  return {
    size: 12n,
    read(target, offset) {
      const microseconds = Math.max(0, Math.floor(milliseconds() * 1000));
      const bytes = Buffer.alloc(12);
      bytes.writeBigUInt64BE(BigInt(Math.floor(microseconds / 1e6)));
      bytes.writeUInt32BE(microseconds % 1e6, 8);
      target.set(bytes.subarray(Number(offset), Number(offset) + target.length));
    },
    cache: () => undefined,
  };
}
