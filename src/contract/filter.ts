// The helper that filters are written with: what is not overridden is forwarded as the very same function and costs nothing.

import type { Awaitable } from "./awaitable.ts";
import { completeOver } from "./complete-over.ts";
import type { Connection } from "./connection.ts";
import type { Disk } from "./disk.ts";
import { everyStep, failAfter } from "./every-step.ts";
import { release, retain } from "./lifecycle.ts";
import { asDisk } from "./open.ts";
import type { ClientInfo, Concurrency, ExportInfo, Filter, OpenRequest, Peer, Plugin, StartContext } from "./plugin.ts";
import { checkConcurrency, queueFor, strictest } from "./queue.ts";

/** What a filter changes about a disk. A key that is there but `undefined` takes the capability away. */
export type Overrides = { readonly [K in keyof Connection]?: Connection[K] | undefined };

/** What a filter changes beside the disk itself; each hook gets the plugin it is laid over. */
export interface FilterOptions {
  /** How many requests the filter itself can work on at once. Default: `parallel`. */
  readonly concurrency?: Concurrency;
  /** Called once, before the first client, after the layers below have started. */
  start?(next: Plugin, context: StartContext): Awaitable<void>;
  /** Called for each client before anything is sent to it; default: the layer below decides. */
  preconnect?(next: Plugin, peer: Peer): Awaitable<void>;
  /** The exports to list; default: those of the layer below. */
  exports?(next: Plugin, client: ClientInfo): Awaitable<Iterable<ExportInfo> | AsyncIterable<ExportInfo>>;
  /** What an empty export name stands for; default: what it does in the layer below. */
  defaultExport?(next: Plugin, client: ClientInfo): Awaitable<string>;
  /** Opens the layer below; default: with the request as it is. */
  open?(next: Plugin, request: OpenRequest): Awaitable<Connection>;
  /** Called once at the end, before the layers below close. */
  close?(next: Plugin): Awaitable<void>;
}

/**
 * Makes a filter. `build` gets the disk below and answers with what is to be different. What it leaves out is forwarded untouched,
 * so a filter that changes the bytes must override `read`, `write`, `zero` and, where it moves or hides them, `trim`, `extents` and
 * `cache` too. Overriding `write` does not make a read-only disk writable, see {@link Traits.readonly}. An overridden `read` drops `views`,
 * and the trait `trimZeroes` unless you say it; an overridden `write` drops `room`. Flags are to be passed on:
 * `disk.write(source, offset, flags)`.
 *
 * @param name - what errors, logs and the command line call it
 * @param build - called for each client
 * @example A disk on which every byte is inverted
 * ```ts
 * const invert = filter("invert", (disk) => ({
 *   async read(target, offset) {
 *     await disk.read(target, offset);
 *     for (const [i, byte] of target.entries()) target[i] = ~byte;
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
  const { concurrency } = options;
  checkConcurrency({ name, concurrency });
  return (next) => {
    const self = { name, concurrency };
    let shutdown: (() => void) | undefined;
    return {
      name,
      // What lies below may know its own only once it has started.
      get concurrency() {
        return strictest(concurrency, next.concurrency);
      },
      async start(context) {
        ({ shutdown } = context);
        await retain(next, shutdown, context.signal);
        try {
          await options.start?.(next, context);
        } catch (error) {
          await failAfter(error, () => release(next, shutdown));
        }
      },
      async open(request) {
        const disk = asDisk(next, await (options.open ? options.open(next, request) : next.open(request)));
        try {
          return completeOver(disk, await build(disk, request), { name, queue: queueFor(self) });
        } catch (error) {
          return failAfter(error, disk.close);
        }
      },
      close: () =>
        everyStep(
          () => options.close?.(next),
          () => release(next, shutdown),
        ),
      ...hooks(next, options),
    };
  };
}

/** The hooks that the filter has, or else those of the layer below; one that neither has stays away. */
function hooks(next: Plugin, options: FilterOptions): Pick<Plugin, "preconnect" | "exports" | "defaultExport"> {
  return {
    ...(options.preconnect
      ? { preconnect: (peer) => options.preconnect?.(next, peer) }
      : next.preconnect && { preconnect: (peer) => next.preconnect?.(peer) }),
    ...(options.exports
      ? { exports: (client) => options.exports?.(next, client) ?? [] }
      : next.exports && { exports: (client) => next.exports?.(client) ?? [] }),
    ...(options.defaultExport
      ? { defaultExport: (client) => options.defaultExport?.(next, client) ?? "" }
      : next.defaultExport && { defaultExport: (client) => next.defaultExport?.(client) ?? "" }),
  };
}
