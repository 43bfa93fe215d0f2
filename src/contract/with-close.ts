// A disk that is closed in another way, and is the same in all else.

import { type Disk, diskBrand } from "./disk.ts";

/** The disk with this in place of its `close`, which is called once. */
export function withClose(disk: Disk, perform: () => Promise<void>): Disk {
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= perform();
    return closed;
  };
  const { size, blockSize, description, capabilities, contexts, read, views, room, write, flush, trim, zero, extents, cache } = disk;
  return {
    [diskBrand]: true,
    size,
    ...(blockSize && { blockSize }),
    ...(description !== undefined && { description }),
    capabilities,
    contexts,
    read,
    ...(views && { views }),
    ...(room && { room }),
    write,
    flush,
    trim,
    zero,
    extents,
    cache,
    close,
    [Symbol.asyncDispose]: close,
  };
}
