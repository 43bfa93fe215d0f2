// The connections to servers, shared by all clients of a plugin.

import type { Dispatcher } from "undici";
import connectThrough from "undici/lib/api/api-connect.js";
import Agent from "undici/lib/dispatcher/agent.js";
import Pool from "undici/lib/dispatcher/pool.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";
import { connector } from "./connector.ts";
import { textOf } from "./credentials.ts";
import type { Settings } from "./options.ts";
import { proxyUrl } from "./proxy-url.ts";
import { connectOptions } from "./tls.ts";

/** An idle connection is closed after so long, or earlier where the server says when it closes it. */
const IDLE = 15_000;

/** Makes the connections' owner; none is opened before it is needed. */
export async function makeAgent(settings: Settings): Promise<Dispatcher> {
  const { connections, connectTimeout, given } = settings;
  const { unixSocket, proxy, http2 = false, tls = {} } = given;
  const connect = {
    ...connectOptions(tls),
    timeout: connectTimeout,
    allowH2: http2,
    ...(unixSocket !== undefined && { socketPath: unixSocket }),
  };
  const pool = { connections, keepAliveTimeout: IDLE, allowH2: http2 } as const;
  if (proxy === undefined) return new Agent({ ...pool, connect: connector(connect) });
  const { url, user, password } = typeof proxy === "string" ? { url: proxy } : { user: undefined, password: undefined, ...proxy };
  const uri = proxyUrl(url);
  if (user !== undefined) uri.username = encodeURIComponent(user);
  if (password !== undefined) uri.password = encodeURIComponent(await textOf(password, "option proxy.password"));
  const name = decodeURIComponent(uri.username);
  const word = decodeURIComponent(uri.password);
  const socks = uri.protocol.startsWith("socks");
  return new ProxyAgent({
    ...pool,
    uri: uri.href,
    ...(name !== "" && !socks && { token: `Basic ${Buffer.from(`${name}:${word}`).toString("base64")}` }),
    // As curl does it: a tunnel for https; http is asked of the proxy itself, as many allow tunnels to port 443 alone.
    proxyTunnel: false,
    requestTls: connect,
    proxyTls: { timeout: connectTimeout },
    // undici's index gives all dispatchers this method, which ProxyAgent relies on.
    clientFactory: (origin, options) => Object.assign(new Pool(origin, options), { connect: connectThrough }),
    factory: (origin: URL, options: object) => new Pool(origin, { ...options, connections }),
  });
}
