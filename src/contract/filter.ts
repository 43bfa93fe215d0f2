// The helper that filters are written with: what is not overridden is forwarded as the very same function and costs nothing.

import type { Awaitable } from "./awaitable.ts";
import { completeOver } from "./complete-over.ts";
import type { Connection } from "./connection.ts";
import type { Disk } from "./disk.ts";
import { release, retain } from "./lifecycle.ts";
import { openLayer } from "./open.ts";
import type { Concurrency, Filter, OpenRequest, Plugin } from "./plugin.ts";
import { queueFor, strictest } from "./queue.ts";

/** What a filter changes about a disk. A key that is there but `undefined` takes the capability away. */
export type Overrides = { readonly [K in keyof Connection]?: Connection[K] | undefined };

/** What a filter changes beside the disk itself; each hook gets the plugin it is laid over. */
export interface FilterOptions {
  /** How many requests the filter itself can work on at once. Default: `parallel`. */
  readonly concurrency?: Concurrency;
  /** Called once, before the first client, after the layers below have started. */
  start?(next: Plugin, context: Parameters<NonNullable<Plugin["start"]>>[0]): Awaitable<void>;
  /** Called for each client before anything is sent to it; default: the layer below decides. */
  preconnect?(next: Plugin, peer: Parameters<NonNullable<Plugin["preconnect"]>>[0]): Awaitable<void>;
  /** The exports to list; default: those of the layer below. */
  exports?(next: Plugin, client: Parameters<NonNullable<Plugin["exports"]>>[0]): ReturnType<NonNullable<Plugin["exports"]>>;
  /** What an empty export name stands for; default: what it does in the layer below. */
  defaultExport?(next: Plugin, client: Parameters<NonNullable<Plugin["defaultExport"]>>[0]): Awaitable<string>;
  /** Opens the layer below; default: with the request as it is. */
  open?(next: Plugin, request: OpenRequest): Awaitable<Disk>;
  /** Called once at the end, before the layers below close. */
  close?(next: Plugin): Awaitable<void>;
}

/**
 * Makes a filter. `build` gets the disk below and answers with what is to be different. What it leaves out is forwarded untouched,
 * so a filter that changes the bytes must override `read`, `write`, `zero` and, where it moves or hides them, `trim`, `extents` and
 * `cache` too. An overridden `read` drops `views`. Flags are to be passed on: `disk.write(source, offset, flags)`.
 *
 * @param name - what errors, logs and the command line call it
 * @param build - called for each client
 * @example A disk on which every byte is inverted
 * ```ts
 * const invert = filter("invert", (disk) => ({
 *   async read(target, offset) {
 *     await disk.read(target, offset);
 *     target.forEach((byte, i) => (target[i] = ~byte));
 *   },
 *   write: (source, offset, flags) => disk.write(source.map((byte) => ~byte), offset, flags),
 *   zero: undefined, // zeroes are written, through the above
 *   extents: undefined, // a hole does not read as zeroes here
 * }));
 * ```
 */
export function filter(
  name: string,
  build: (disk: Disk, request: OpenRequest) => Awaitable<Overrides>,
  options: FilterOptions = {},
): Filter {
  return (next) => {
    const plugin: Plugin = {
      name,
      concurrency: strictest(options.concurrency, next.concurrency),
      async start(context) {
        await retain(next);
        try {
          await options.start?.(next, context);
        } catch (error) {
          await release(next);
          throw error;
        }
      },
      async open(request) {
        const disk = await (options.open?.(next, request) ?? openLayer(next, request));
        try {
          const overrides = await build(disk, request);
          return completeOver(disk, overrides, { queue: queueFor(queued) });
        } catch (error) {
          await disk.close();
          throw error;
        }
      },
      async close() {
        try {
          await options.close?.(next);
        } finally {
          await release(next);
        }
      },
      ...hooks(next, options),
    };
    const queued: Plugin = options.concurrency === undefined ? { name, open: plugin.open } : { name, open: plugin.open, concurrency: options.concurrency };
    return plugin;
  };
}

function hooks(next: Plugin, options: FilterOptions): Pick<Plugin, "preconnect" | "exports" | "defaultExport"> {
  const { preconnect, exports, defaultExport } = options;
  return {
    ...(preconnect ? { preconnect: (peer) => preconnect(next, peer) } : next.preconnect && { preconnect: (peer) => next.preconnect?.(peer) }),
    ...(exports ? { exports: (client) => exports(next, client) } : next.exports && { exports: (client) => next.exports?.(client) ?? [] }),
    ...(defaultExport
      ? { defaultExport: (client) => defaultExport(next, client) }
      : next.defaultExport && { defaultExport: (client) => next.defaultExport?.(client) ?? "" }),
  };
}
