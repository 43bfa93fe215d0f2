// The checkwrite filter: writes succeed when they would change nothing. For tests of programs that copy disks.

import { readPieces } from "../common/pieces.ts";
import { readonlyRequest } from "../common/readonly-request.ts";
import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/** Bytes that are compared with zeroes at once. */
const SLICE = 1024 * 1024;

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
      const areZeroes = (offset: bigint, length: bigint): Promise<void> => checkZeroes(disk, offset, offset + length, signal);
      return {
        traits: { readonly: false, fua: "native", fastZero: true, multiConn: true },
        write: (source, offset) => checkBytes(disk, source, offset),
        trim: areZeroes,
        zero: areZeroes,
        flush: () => undefined,
      };
    },
    { open: (next, request) => next.open(readonlyRequest(request)) },
  );
}

function checkBytes(disk: Disk, source: Uint8Array, offset: bigint): Awaitable<void> {
  const lent = disk.views?.(offset, source.length);
  if (lent !== undefined) {
    let at = 0;
    for (const view of lent) {
      compare(source.subarray(at, at + view.length), view, offset + BigInt(at));
      at += view.length;
    }
    return undefined;
  }
  const found = new Uint8Array(source.length);
  const done = readPieces(disk, found, offset);
  return isPromise(done) ? done.then(() => compare(source, found, offset)) : compare(source, found, offset);
}

async function checkZeroes(disk: Disk, start: bigint, end: bigint, signal: AbortSignal): Promise<void> {
  for (let at = start; at < end; ) {
    for (const { offset, length, zero } of await disk.extents(at, end - at)) {
      if (zero !== true) await readZeroes(disk, offset, offset + length, signal);
      at = offset + length;
    }
  }
}

async function readZeroes(disk: Disk, start: bigint, end: bigint, signal: AbortSignal): Promise<void> {
  const found = new Uint8Array(end - start < SLICE ? Number(end - start) : SLICE);
  const zeroes = new Uint8Array(found.length);
  for (let at = start; at < end; at += BigInt(SLICE)) {
    const part = end - at < found.length ? found.subarray(0, Number(end - at)) : found;
    await readPieces(disk, part, at);
    compare(zeroes.subarray(0, part.length), part, at);
    // A disk that answers at once would keep everybody else waiting.
    if (end - at > SLICE) await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}

/** Throws EIO where what is written is not what was found. */
function compare(written: Uint8Array, found: Uint8Array, offset: bigint): void {
  if (Buffer.compare(written, found) === 0) return;
  const index = written.findIndex((byte, i) => byte !== found[i]);
  const [wrote, has] = [written[index], found[index]].map((byte) => `0x${(byte ?? 0).toString(16).padStart(2, "0")}`);
  const at = offset + BigInt(index);
  throw new DiskError("EIO", `what is written differs from what is there: ${wrote} in place of ${has} at ${at}`, { offset: at });
}
