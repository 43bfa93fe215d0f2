// Filters that change no bytes: the disk below with a few of its requests replaced, all else about it as it was.

import { setMaxListeners } from "node:events";
import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import { type Capabilities, type Disk, diskBrand } from "../contract/disk.ts";
import { everyStep, failAfter } from "../contract/every-step.ts";
import { type FilterOptions, filter } from "../contract/filter.ts";
import { asDisk } from "../contract/open.ts";
import type { Filter, OpenRequest } from "../contract/plugin.ts";
import { UnderWay } from "../contract/under-way.ts";

/** What is put in place of the requests of a disk; what is left out stays. */
export interface Wrapping
  extends Partial<Pick<Disk, "read" | "views" | "room" | "write" | "flush" | "trim" | "zero" | "extents" | "contexts" | "cache">> {
  /** What it can do beside what the disk below can. */
  readonly capabilities?: Partial<Capabilities>;
  /** Called when the client is gone and nothing is under way, before the disk below closes. */
  close?(): Awaitable<void>;
}

/**
 * Makes a filter that stands between the client and the completed disk: it also sees the requests that the disk below emulates, such as a zeroing
 * that is done by writing, as the client made them. With `filter()` alone it would see what they became.
 *
 * A replaced `read` drops `views`, and a replaced `write` drops `room`, unless there are others in their place.
 *
 * @param wrap - called for each client
 */
export function wrappingFilter(
  name: string,
  wrap: (disk: Disk, request: OpenRequest) => Awaitable<Wrapping>,
  options: Omit<FilterOptions, "concurrency"> = {},
): Filter {
  return filter(name, () => ({}), {
    ...options,
    async open(next, request) {
      // As many requests as are under way may wait, and listen for the client's going.
      setMaxListeners(0, request.signal);
      const disk = asDisk(next, await (options.open ? options.open(next, request) : next.open(request)));
      try {
        return wrapped(disk, await wrap(disk, request));
      } catch (error) {
        return failAfter(error, disk.close);
      }
    },
  });
}

/** The disk with its requests replaced. Closing waits for those that are under way up here. */
function wrapped(below: Disk, wrapping: Wrapping): Disk {
  const calls = new UnderWay();
  const { checkOpen } = calls;
  const { read, write, flush, trim, zero, extents, cache } = wrapping;
  const views = "views" in wrapping || read !== undefined ? wrapping.views : below.views;
  const room = "room" in wrapping || write !== undefined ? wrapping.room : below.room;
  const { size, blockSize, description } = below;

  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      const idle = calls.close();
      if (isPromise(idle)) await idle;
      await everyStep(() => wrapping.close?.(), below.close);
    })();
    return closed;
  };

  return {
    [diskBrand]: true,
    size,
    ...(blockSize && { blockSize }),
    ...(description !== undefined && { description }),
    capabilities: Object.freeze({ ...below.capabilities, ...wrapping.capabilities, views: views !== undefined }),
    contexts: wrapping.contexts ?? below.contexts,
    ...(views && { views }),
    ...(room && { room }),
    read:
      read === undefined
        ? below.read
        : (target, offset) => {
            checkOpen("read");
            return calls.track(read(target, offset));
          },
    write:
      write === undefined
        ? below.write
        : (source, offset, flags) => {
            checkOpen("write");
            return calls.track(write(source, offset, flags));
          },
    flush:
      flush === undefined
        ? below.flush
        : () => {
            checkOpen("flush");
            return calls.track(flush());
          },
    trim:
      trim === undefined
        ? below.trim
        : (offset, length, flags) => {
            checkOpen("trim");
            return calls.track(trim(offset, length, flags));
          },
    zero:
      zero === undefined
        ? below.zero
        : (offset, length, flags) => {
            checkOpen("zero");
            return calls.track(zero(offset, length, flags));
          },
    extents:
      extents === undefined
        ? below.extents
        : (offset, length, flags) => {
            checkOpen("list extents");
            return calls.track(extents(offset, length, flags));
          },
    cache:
      cache === undefined
        ? below.cache
        : (offset, length) => {
            checkOpen("cache");
            return calls.track(cache(offset, length));
          },
    close,
    [Symbol.asyncDispose]: close,
  };
}
