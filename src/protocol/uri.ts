// NBD URIs, read and written (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md).

import { DiskError } from "../contract/error.ts";
import { MAX_STRING } from "./constants.ts";

/** The port that IANA gave to NBD. */
export const DEFAULT_PORT = 10809;

/** What an NBD URI says: where the server is and which of its exports is meant. */
export type UriParts =
  | {
      readonly transport: "tcp";
      /** A name or an address; an IPv6 address stands here without brackets. */
      readonly host: string;
      readonly port: number;
      /** Which export; the empty name is the server's default. */
      readonly exportName: string;
    }
  | {
      readonly transport: "unix";
      /** Of the socket; one that starts with NUL is abstract. */
      readonly path: string;
      /** Which export; the empty name is the server's default. */
      readonly exportName: string;
    };

/**
 * Reads an NBD URI: `nbd://host[:port]/export` or `nbd+unix:///export?socket=/path`.
 *
 * @throws DiskError EINVAL when it is not one, or asks for something that is not there
 * @example
 * ```ts
 * parseUri("nbd://[::1]/disk%20one"); // { transport: "tcp", host: "::1", port: 10809, exportName: "disk one" }
 * ```
 */
export function parseUri(uri: string): UriParts {
  const fail = (why: string): DiskError => new DiskError("EINVAL", `NBD URI ${JSON.stringify(uri)}: ${why}`);
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(#.*)?$/is.exec(uri);
  if (match === null) throw fail("expected nbd://host/export or nbd+unix:///export?socket=path");
  const [, scheme = "", authority, path = "", query, fragment] = match;
  const transport = transportOf(scheme.toLowerCase(), fail);
  if (authority === undefined) throw fail(`expected ${scheme}:// after which the host, or another /, comes`);
  if (fragment !== undefined) throw fail("a URI of an export has no fragment: write # as %23");
  const exportName = decode(path.replace(/^\//, ""), "export name", fail);
  if (exportName.includes("\0")) throw fail("an export name has no NUL character");
  if (Buffer.byteLength(exportName) > MAX_STRING) throw fail(`the export name is longer than ${MAX_STRING} bytes`);
  const keys = parseQuery(query, transport, fail);
  if (transport === "tcp") return { transport, ...parseAuthority(authority, fail), exportName };

  if (authority !== "")
    throw fail(`${JSON.stringify(authority)} stands where a host would: a unix socket has none, write ${scheme}:///export?socket=path`);
  const socket = keys.get("socket");
  if (socket === undefined || socket === "") throw fail("it does not say which socket: add ?socket=/path/of/the/socket");
  if (socket.includes("\0", 1)) throw fail("a socket's path has NUL nowhere but at its start");
  return { transport, path: socket, exportName };
}

/**
 * Writes an NBD URI that {@link parseUri}, libnbd and qemu read.
 *
 * @throws DiskError EINVAL when a name or path is not a text that can be encoded
 * @example
 * ```ts
 * formatUri({ transport: "unix", path: "/tmp/a b.sock", exportName: "" }); // "nbd+unix:///?socket=/tmp/a%20b.sock"
 * ```
 */
export function formatUri(parts: UriParts): string {
  const exportName = encode(parts.exportName);
  if (parts.transport === "unix") return `nbd+unix:///${exportName}?socket=${encode(parts.path)}`;
  const host = parts.host.includes(":") ? `[${parts.host.replace("%", "%25")}]` : encode(parts.host);
  return `nbd://${host}:${parts.port}/${exportName}`;
}

type Fail = (why: string) => DiskError;

function transportOf(scheme: string, fail: Fail): "tcp" | "unix" {
  switch (scheme) {
    case "nbd":
      return "tcp";
    case "nbd+unix":
      return "unix";
    case "nbds":
    case "nbds+unix":
    case "nbds+vsock":
      throw fail("TLS is not there yet: only nbd:// and nbd+unix:// can be used");
    case "nbd+vsock":
      throw fail("Node.js has no vsock sockets: only nbd:// and nbd+unix:// can be used");
    case "nbd+ssh":
    case "nbds+ssh":
      throw fail("NBD through ssh is not there: forward a port or socket with ssh -L and use nbd:// or nbd+unix://");
    default:
      throw fail(`${scheme}: is no scheme of NBD: expected nbd:// or nbd+unix://`);
  }
}

function parseAuthority(authority: string, fail: Fail): { host: string; port: number } {
  // A user name is only ever for TLS: going on without it would be less than was asked for.
  if (authority.includes("@")) throw fail("a user name is for TLS, and TLS is not there yet");
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(authority);
  if (match === null) throw fail(`${JSON.stringify(authority)} is no host[:port]: an IPv6 address stands in brackets, a port is a number`);
  const [, bracketed, name = "", digits = ""] = match;
  const port = digits === "" ? DEFAULT_PORT : Number(digits);
  if (port < 1 || port > 65535) throw fail(`port ${digits}: expected 1 to 65535`);
  if (bracketed === undefined) {
    const host = decode(name, "host", fail);
    if (/[\0\s/]/.test(host)) throw fail(`${JSON.stringify(host)} is no host name`);
    return { host: host === "" ? "localhost" : host, port };
  }
  const address = decode(bracketed, "host", fail);
  if (!/^[0-9a-f:.]*:[0-9a-f:.]*(%[^\0\s/]+)?$/i.test(address)) throw fail(`[${bracketed}] is no IPv6 address`);
  return { host: address, port };
}

function parseQuery(query: string | undefined, transport: "tcp" | "unix", fail: Fail): Map<string, string> {
  const keys = new Map<string, string>();
  for (const pair of (query ?? "").split("&")) {
    if (pair === "") continue;
    const [, rawKey = "", rawValue = ""] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    const key = decode(rawKey, "query", fail);
    if (key.startsWith("tls-")) throw fail(`${key}: TLS is not there yet`);
    if (key !== "socket") throw fail(`unknown query key ${JSON.stringify(key)}: only socket is known`);
    if (transport === "tcp") throw fail("socket= belongs to nbd+unix://");
    if (keys.has(key)) throw fail(`${key}= is there twice`);
    keys.set(key, decode(rawValue, key, fail));
  }
  return keys;
}

/** Percent-decodes; a `+` is a plus, unlike in web forms. */
function decode(text: string, what: string, fail: Fail): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fail(`the ${what} is not percent-encoded UTF-8: a % itself is written as %25`);
  }
}

function encode(text: string): string {
  try {
    return encodeURIComponent(text)
      .replaceAll("%2F", "/")
      .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  } catch {
    throw new DiskError("EINVAL", `${JSON.stringify(text)} cannot stand in a URI: it is not valid Unicode`);
  }
}
