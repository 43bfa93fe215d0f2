// `pause`: requests that wait while somebody does something to what the disk is kept in.

import { wrappingFilter } from "../common/wrapping.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import type { Filter } from "../contract/plugin.ts";
import { type Control, listenForControl } from "./pause/control.ts";
import { Gatekeeper } from "./pause/gatekeeper.ts";

/** How {@link pause} is controlled from outside. */
export interface PauseOptions {
  /** The path of a unix socket that takes nbdkit's commands: `p` is answered `P` once all is quiet, `r` is answered `R`. */
  readonly control?: string;
}

/** The filter that {@link pause} makes, and what controls it. */
export interface PauseFilter extends Filter {
  /** Whether requests wait. */
  readonly paused: boolean;
  /** Has requests wait from now on. Settles when those that had begun have been answered: nothing happens to the disk below any more. */
  pause(): Promise<void>;
  /** Lets requests through again. */
  resume(): void;
}

/**
 * Has all requests wait between {@link PauseFilter.pause} and {@link PauseFilter.resume}, for example to take a snapshot of a file that the disk is
 * kept in. It does not flush.
 *
 * @throws DiskError EINVAL when `control` is no path
 * @example
 * ```ts
 * const brake = pause();
 * await using server = await serve(pipe(memory("1G"), brake));
 * await brake.pause();
 * // … take the snapshot
 * brake.resume();
 * ```
 */
export function pause(options: PauseOptions = {}): PauseFilter {
  const { control: path } = options;
  if (path !== undefined && (typeof path !== "string" || path === ""))
    throw new DiskError("EINVAL", `control ${JSON.stringify(path)}: expected the path of a socket`);
  const keeper = new Gatekeeper();
  /** One for all disks that the filter is laid over. */
  let control: Promise<Control> | undefined;
  let users = 0;
  const over = wrappingFilter("pause", (disk, { signal }) => requests(disk, keeper, signal), {
    async start() {
      if (path === undefined) return;
      control ??= listenForControl(path, keeper);
      try {
        await control;
        users += 1;
      } catch (error) {
        control = undefined;
        throw error;
      }
    },
    async close() {
      users -= 1;
      if (users > 0 || control === undefined) return;
      const closing = control;
      control = undefined;
      await (await closing).close();
    },
  });
  const filter = (next: Parameters<Filter>[0]): ReturnType<Filter> => over(next);
  const controls: PropertyDescriptorMap & ThisType<PauseFilter> = {
    paused: { get: () => keeper.stopped },
    pause: { value: () => keeper.stop() },
    resume: { value: () => keeper.resume() },
  };
  return Object.defineProperties(filter, controls) as PauseFilter;
}

/** Every request, through the gate. There is no room to write into: bytes would arrive there while all is to be quiet. */
function requests(disk: Disk, keeper: Gatekeeper, signal: AbortSignal): ReturnType<Parameters<typeof wrappingFilter>[1]> {
  return {
    read: (target, offset) => keeper.pass(signal, disk.read, target, offset, undefined),
    ...(disk.views && { views: (offset, length) => (keeper.stopped ? undefined : disk.views?.(offset, length)) }),
    write: (source, offset, flags) => keeper.pass(signal, disk.write, source, offset, flags),
    flush: () => keeper.pass(signal, disk.flush, undefined, undefined, undefined),
    trim: (offset, length, flags) => keeper.pass(signal, disk.trim, offset, length, flags),
    zero: (offset, length, flags) => keeper.pass(signal, disk.zero, offset, length, flags),
    extents: (offset, length, flags) => keeper.pass(signal, disk.extents, offset, length, flags),
    cache: (offset, length) => keeper.pass(signal, disk.cache, offset, length, undefined),
    contexts: disk.contexts.map((context) => ({
      name: context.name,
      extents: (offset, length, flags) => keeper.pass(signal, context.extents, offset, length, flags),
    })),
  };
}
