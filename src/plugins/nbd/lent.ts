// One disk for several clients: closing what one of them has leaves the disk open.

import type { Connection } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";

/** A connection that is `disk`, but for its end. */
export function lent(disk: Disk, readonly: boolean): Connection {
  const { size, blockSize, description, capabilities, contexts, read, write, flush, trim, zero, extents, cache } = disk;
  const can = capabilities;
  const writable = can.write && !readonly;
  return {
    size,
    ...(blockSize && { blockSize }),
    ...(description !== undefined && { description }),
    contexts,
    traits: {
      fua: can.fua === "none" ? "none" : "native",
      fastZero: can.fastZero,
      trimZeroes: can.trimZeroes,
      multiConn: can.multiConn,
      rotational: can.rotational,
      cache: can.cache,
    },
    read,
    ...(can.flush && { flush }),
    ...(can.extents && { extents }),
    ...(can.cache === "native" && { cache }),
    ...(writable && { write }),
    ...(writable && can.trim && { trim }),
    ...(writable && can.zero && { zero }),
  };
}
