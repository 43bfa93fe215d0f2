// `exitlast`: a server that closes when its last client has gone.

import { Clients } from "../common/clients.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/**
 * Closes the servers of the disk when the last client that had it open is gone. Before the first one nothing happens.
 *
 * @example
 * ```ts
 * const server = await serve(pipe(memory("1G"), exitLast()));
 * console.log(server.uri);
 * await server.closed;
 * ```
 */
export function exitLast(): Filter {
  return (next) => {
    let shutdown: (() => void) | undefined;
    const clients = new Clients(() => {
      if (clients.count === 0) shutdown?.();
    });
    return filter("exitlast", () => ({}), {
      start: (_next, context) => {
        shutdown = () => context.shutdown();
      },
      open: (below, request) => clients.open(below, request),
    })(next);
  };
}
