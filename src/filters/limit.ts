// `limit`: no more than so many clients at a time.

import { Clients } from "../common/clients.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/** How many clients {@link limit} lets in. */
export interface LimitOptions {
  /** Clients at a time; 0: any number. Default: 1. */
  readonly limit?: number;
}

/**
 * Lets in so many clients at a time. Those that come when it is full are dropped before anything is sent to them. A client counts from when
 * it connects until it is gone and its disk is closed, also one that never opens anything.
 *
 * @throws DiskError EINVAL when it is no number of clients
 * @example
 * ```ts
 * const disk = pipe(memory("1G"), limit({ limit: 2 }));
 * ```
 */
export function limit(options: LimitOptions = {}): Filter {
  const { limit: most = 1 } = options;
  if (!Number.isSafeInteger(most) || most < 0)
    throw new DiskError("EINVAL", `limit ${String(most)}: expected a whole number of clients, 0 for any number`);
  if (most === 0) return filter("limit", () => ({}));
  const clients = new Clients();
  const full = (): DiskError =>
    new DiskError("EPERM", `there are ${most} clients already: no more are let in, and this one is to come back later`);

  return filter("limit", () => ({}), {
    async preconnect(next, peer) {
      // The process itself is no client: it may look at its own server.
      if (peer.transport !== "process" && clients.count >= most) throw full();
      clients.connected(peer);
      await next.preconnect?.(peer);
    },
    open(next, request) {
      // Some are not seen connecting, such as those in this process.
      if (clients.count >= most && !clients.has(request.peer)) throw full();
      return clients.open(next, request);
    },
  });
}
