// The checkwrite filter: writes succeed when they would change nothing. For tests of programs that copy disks.

import { readonlyRequest } from "../common/readonly-request.ts";
import { type Difference, difference, notZero } from "../common/same-content.ts";
import { andThen } from "../contract/awaitable.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/**
 * Turns writes into checks: one that would change nothing succeeds, one that would fails with EIO and says where. Zeroing and trimming check that
 * there are zeroes, holes or not. The disk below is opened read-only and never written to.
 *
 * @example Does a program copy every byte to where it belongs?
 * ```ts
 * await using server = await serve(pipe(file("disk.img"), checkwrite()));
 * // Now have it copy from server.uri to server.uri.
 * ```
 */
export function checkwrite(): Filter {
  return filter(
    "checkwrite",
    (disk, { signal }) => {
      const zeroes = (offset: bigint, length: bigint): Promise<void> => notZero(disk, offset, offset + length, signal).then(refuse);
      return {
        traits: { readonly: false, fua: "native", fastZero: true, multiConn: true },
        write: (source, offset) => andThen(difference(disk, source, offset), refuse),
        trim: zeroes,
        zero: zeroes,
        flush: () => undefined,
      };
    },
    { open: (next, request) => next.open(readonlyRequest(request)) },
  );
}

function refuse(first: Difference | undefined): void {
  if (first === undefined) return;
  const [wrote, has] = [first.expected, first.found].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`);
  throw new DiskError("EIO", `what is written differs from what is there: ${wrote} in place of ${has} at ${first.offset}`, {
    offset: first.offset,
  });
}
