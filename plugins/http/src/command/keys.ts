// The keys of the command line: nbdkit's, as its curl plugin has them, and ours.

import type { OptionsOf } from "diskwright/command";
import type { HttpOptions } from "../options.ts";
import { environmentProxy } from "./environment-proxy.ts";
import { cookiesOf, headersOf } from "./headers.ts";
import { tlsOf } from "./tls.ts";

export const keys = {
  url: { type: "string", magic: true, required: true, repeatable: true, help: "Where the file is; several are mirrors of each other" },
  user: { type: "string", help: "User name for basic authentication" },
  password: { type: "secret", help: "Password for it" },
  header: { type: "string", repeatable: true, help: "A header to send: 'Name: value'" },
  "header-script": { type: "string", help: "A script that prints headers, a line each; it has $url and $iteration" },
  "header-script-renew": { type: "integer", default: "0", help: "Seconds after which it is run again (0: when the server refuses)" },
  cookie: { type: "secret", help: "Cookies to send: 'name=value; name=value'" },
  "cookie-script": { type: "string", help: "A script that prints them" },
  "cookie-script-renew": { type: "integer", default: "0", help: "Seconds after which it is run again (0: when the server refuses)" },
  cookiefile: { type: "string", help: "Refused: cookies that servers set are not kept" },
  cookiejar: { type: "string", help: "Refused: cookies that servers set are not kept" },
  "user-agent": { type: "string", help: "The User-Agent header (default: none)" },
  followlocation: { type: "boolean", default: "true", help: "Follow redirects" },
  protocols: { type: "string", help: "Protocols that may be used: http,https (default: both, or https alone for an https URL)" },
  timeout: { type: "integer", default: "0", help: "Seconds that a request may take altogether (0: no limit)" },
  "unix-socket-path": { type: "path", help: "A unix socket to connect to" },
  proxy: { type: "string", help: "A proxy: http://host:port, https:// or socks5:// (default: what http_proxy and the like say)" },
  "proxy-user": { type: "string", help: "User name for the proxy" },
  "proxy-password": { type: "secret", help: "Password for the proxy" },
  cainfo: { type: "string", help: "File of certificates of the authorities to trust; empty for none" },
  capath: { type: "path", help: "Folder of such files" },
  sslverify: { type: "boolean", default: "true", help: "Check the server's certificate" },
  "ssl-version": {
    type: "choice",
    values: ["tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3", "sslv2", "sslv3"],
    help: "Oldest version of TLS to use",
  },
  "ssl-cipher-list": { type: "string", help: "Ciphers of TLS up to 1.2" },
  "tls13-ciphers": { type: "string", help: "Ciphers of TLS 1.3" },
  cert: { type: "path", help: "File with our certificate, for servers that ask for one" },
  key: { type: "path", help: "File with its key" },
  "tcp-keepalive": { type: "boolean", default: "true", help: "Always on: false is refused" },
  "tcp-nodelay": { type: "boolean", default: "true", help: "Always on: false is refused" },
  connections: { type: "integer", default: "16", help: "Connections to each server" },
  http2: { type: "boolean", default: "false", help: "Use HTTP/2 where the server offers it" },
  "read-ahead": { type: "size", default: "8M", help: "Bytes that may be read ahead for each client" },
  retries: { type: "integer", default: "5", help: "How often to try again what failed in passing" },
  validate: { type: "boolean", default: "true", help: "Check that the file does not change" },
} as const;

/** What was given. */
export type Options = OptionsOf<typeof keys>;

/** The same as options of http(). */
export async function optionsOf(options: Options): Promise<HttpOptions> {
  refuse(options);
  const { user, password, protocols, timeout, connections, http2, retries, validate } = options;
  const { "user-agent": userAgent, "unix-socket-path": unixSocket, "read-ahead": readAhead } = options;
  const headers = headersOf(options);
  const cookies = cookiesOf(options);
  const renewAfter = renewalOf(options);
  const tls = await tlsOf(options);
  const proxy = proxyOf(options);
  return {
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(headers !== undefined && { headers }),
    ...(cookies !== undefined && { cookies }),
    ...(renewAfter !== undefined && { renewAfter }),
    ...(userAgent !== undefined && { userAgent }),
    ...(options.followlocation === false && { redirects: 0 }),
    ...(protocols !== undefined && { protocols: protocolsOf(protocols) }),
    ...(timeout !== undefined && { requestTimeout: timeout }),
    ...(unixSocket !== undefined && { unixSocket }),
    ...(proxy !== undefined && { proxy }),
    ...(tls !== undefined && { tls }),
    ...(connections !== undefined && { connections }),
    ...(http2 !== undefined && { http2 }),
    ...(readAhead !== undefined && { readAhead }),
    ...(retries !== undefined && { retries }),
    ...(validate !== undefined && { validate }),
  };
}

function refuse(options: Options): void {
  for (const key of ["cookiefile", "cookiejar"] as const) {
    if (options[key] === undefined) continue;
    throw new Error(`${key}=: cookies that servers set are not kept: give those to send with cookie=, or have cookie-script= fetch them`);
  }
  for (const key of ["tcp-keepalive", "tcp-nodelay"] as const) {
    if (options[key] === false) throw new Error(`${key}=false: it is always on here`);
  }
  for (const kind of ["header", "cookie"] as const) {
    const script = options[`${kind}-script`];
    const renew = options[`${kind}-script-renew`];
    if (script !== undefined && options[kind] !== undefined) throw new Error(`${kind}= and ${kind}-script= cannot be used together`);
    if (renew !== undefined && script === undefined) throw new Error(`${kind}-script-renew= belongs to ${kind}-script=`);
    if (renew !== undefined && renew < 0) throw new Error(`${kind}-script-renew=${renew}: expected a number of seconds from 0`);
  }
}

/** curl's protocols: those that are not HTTP are never used, whatever is allowed. */
function protocolsOf(list: string): readonly ("http" | "https")[] {
  const names = list.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !/^[a-z0-9]+$/i.test(name));
  if (unknown !== undefined) throw new Error(`protocols: there is no protocol ${JSON.stringify(unknown)}`);
  const usable = names.map((name) => name.toLowerCase()).filter((name) => name === "http" || name === "https");
  if (usable.length > 0) return usable;
  throw new Error(`protocols=${list}: http and https are those that there are here`);
}

function proxyOf(options: Options): HttpOptions["proxy"] | undefined {
  const { proxy, "proxy-user": user, "proxy-password": password, "unix-socket-path": socket } = options;
  const url = proxy ?? (socket === undefined ? environmentProxy(options.url[0] ?? "", process.env) : undefined);
  // As curl takes it: an empty proxy is none, whatever the environment says.
  if (url === undefined || url === "") return undefined;
  return { url, ...(user !== undefined && { user }), ...(password !== undefined && { password }) };
}

/** One length of time for both scripts: the shorter. */
function renewalOf(options: Options): number | undefined {
  const given = [options["header-script-renew"], options["cookie-script-renew"]].filter((seconds) => seconds !== undefined && seconds > 0);
  return given.length === 0 ? undefined : Math.min(...(given as number[]));
}
