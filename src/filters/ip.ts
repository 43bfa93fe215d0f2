// `ip`: who may connect, by address, or on a unix socket by process, user and group.

import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter, Peer } from "../contract/plugin.ts";
import { clientOf, parseRules } from "./ip/rules.ts";

/**
 * Rules about who may connect: texts, or lists of them, with commas in between. A rule is `all`, `allipv4`, `allipv6`, `allunix`, an address, `192.0.2.0/24`,
 * `192.0.2.1-192.0.2.9`, `pid:N`, `uid:N` or `gid:N`.
 */
export interface IpOptions {
  /** Who is let in whatever `deny` says. */
  readonly allow?: string | readonly string[];
  /** Who is not let in otherwise. */
  readonly deny?: string | readonly string[];
}

/**
 * Lets in who is allowed, drops who is denied, and lets in everybody else. A client that is dropped is sent nothing at all, and sees no list of
 * exports. Where it cannot be found out whether a rule of `deny` is about a client, it is.
 *
 * @throws DiskError EINVAL for a rule that is not understood
 * @example Only this machine
 * ```ts
 * const disk = pipe(memory("1G"), ip({ allow: "127.0.0.1,::1", deny: "all" }));
 * ```
 */
export function ip(options: IpOptions = {}): Filter {
  const allow = parseRules(options.allow, "allow");
  const deny = parseRules(options.deny, "deny");
  if (allow.length === 0 && deny.length === 0) return filter("ip", () => ({}));
  return filter("ip", () => ({}), {
    async preconnect(next, peer) {
      // The process itself is no client: it may look at its own server.
      if (peer.transport !== "process" && !isLetIn(peer)) throw new DiskError("EPERM", `${describe(peer)} is not allowed to connect`);
      await next.preconnect?.(peer);
    },
  });

  function isLetIn(peer: Peer): boolean {
    const client = clientOf(peer);
    if (allow.some((rule) => rule(client) === true)) return true;
    return !deny.some((rule) => rule(client) !== false);
  }
}

function describe({ transport, address, process }: Peer): string {
  if (address !== undefined) return `a client at ${address}`;
  return process === undefined ? `a client on ${transport}` : `process ${process.pid} of user ${process.uid}`;
}
