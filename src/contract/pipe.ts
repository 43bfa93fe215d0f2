// Putting a stack together in the order the data flows.

import { assertPlugin, describe } from "./assert-plugin.ts";
import { release, retain } from "./lifecycle.ts";
import { openLayer } from "./open.ts";
import type { Filter, Plugin } from "./plugin.ts";

export { assertPlugin };

/**
 * Composes a disk: the source first, the filter nearest the client last. nbdkit's `--filter=A --filter=B P` is `pipe(P, B, A)`.
 *
 * @throws TypeError when an argument is not what it should be
 * @example What the client writes is packed first, then encrypted, then kept in memory
 * ```ts
 * const disk = pipe(memory("1G"), myEncryption(), myCompression());
 * ```
 */
export function pipe(source: Plugin, ...filters: readonly Filter[]): Plugin {
  let plugin = assertPlugin(source, "the source of pipe()");
  for (const [index, filter] of filters.entries()) {
    if (typeof filter !== "function") throw new TypeError(`filter ${index + 1} of pipe() is not a filter: it is ${describe(filter)}`);
    plugin = assertPlugin(filter(completed(plugin)), `what filter ${index + 1} of pipe() made`);
  }
  return plugin;
}

/** The same plugin with `open` answering a completed Disk, so that filters written without the helper get one too. */
export function completed(plugin: Plugin): Plugin {
  const { name } = plugin;
  let shutdown: (() => void) | undefined;
  return {
    name,
    // It may be known only once the plugin has started.
    get concurrency() {
      return plugin.concurrency ?? "parallel";
    },
    ...(plugin.preconnect && { preconnect: (peer) => plugin.preconnect?.(peer) }),
    ...(plugin.exports && { exports: (client) => plugin.exports?.(client) ?? [] }),
    ...(plugin.defaultExport && { defaultExport: (client) => plugin.defaultExport?.(client) ?? "" }),
    start(context) {
      ({ shutdown } = context);
      return retain(plugin, shutdown, context.signal);
    },
    open: (request) => openLayer(plugin, request),
    close: () => release(plugin, shutdown),
  };
}
