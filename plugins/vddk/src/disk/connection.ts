// One client's disk: requests are cut into jobs that fit the shared memory, and widened to whole sectors.

import { type Connection, unlessAborted } from "diskwright";
import { LibraryError } from "../errors.ts";
import type { OpenHost } from "../host/host.ts";
import { SLOT } from "../host/memory.ts";
import { type IoJob, SECTOR } from "../jobs.ts";
import { publish } from "../log.ts";
import { Allocation } from "./allocation.ts";
import { Slots } from "./slots.ts";

/** What a connection has to know beside its disk. */
export interface ConnectionOptions {
  readonly file: string;
  readonly readonly: boolean;
  /** Only the last link of a chain was opened: what is not allocated there may be elsewhere. */
  readonly singleLink: boolean;
  readonly signal: AbortSignal;
}

/** A part of a request: bytes `from` to `to` of its buffer, which begin `skip` bytes into a sector. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly sector: bigint;
  readonly skip: number;
}

/** A connection to a disk that was opened. */
export function connectionTo(host: OpenHost, { file, readonly, singleLink, signal }: ConnectionOptions): Connection {
  const { disk, memory } = host;
  const { handle } = disk;
  const size = disk.capacity * BigInt(SECTOR);
  const slots = new Slots();

  const read = (target: Uint8Array, { from, to, sector, skip }: Piece): Promise<void> =>
    slots.run(async (at) => {
      signal.throwIfAborted();
      await host.call({ op: "read", handle, sector, count: Math.ceil((skip + to - from) / SECTOR), at });
      // The buffer is not ours any more once the client is gone.
      if (!signal.aborted) memory.read(target.subarray(from, to), at + skip);
    });

  const write = (source: Uint8Array, { from, to, sector, skip }: Piece): Promise<void> =>
    slots.run(async (at) => {
      signal.throwIfAborted();
      memory.write(source.subarray(from, to), at + skip);
      await host.call({ op: "write", handle, sector, skip, length: to - from, at });
    });

  const whole = (length: number, offset: bigint, perform: (piece: Piece) => Promise<void>): Promise<void> =>
    unlessAborted(together(pieces(length, offset).map(perform)), signal);

  const allocation = new Allocation(size, !singleLink, async (sector, count) => {
    try {
      return (await host.call({ op: "allocated", handle, sector, count } satisfies IoJob)) as BigUint64Array;
    } catch (error) {
      if (!(error instanceof LibraryError)) throw error;
      // Some libraries cannot tell of some places of some disks. That is no reason not to serve them.
      publish({ level: "warning", text: `taken as allocated: ${count} sectors at ${sector} (${error.message})`, file });
      return undefined;
    }
  });

  if (disk.allocation !== true) publish({ level: "log", text: `extents are not offered: ${disk.allocation}`, file });
  return {
    size,
    blockSize: { minimum: SECTOR, preferred: 4096, maximum: 32 * SLOT },
    traits: { multiConn: readonly },
    read: (target, offset) => whole(target.length, offset, (piece) => read(target, piece)),
    ...(!readonly && {
      async write(source: Uint8Array, offset: bigint): Promise<void> {
        allocation.written(offset, source.length);
        await whole(source.length, offset, (piece) => write(source, piece));
        // Once more, for a question that was on its way meanwhile.
        allocation.written(offset, source.length);
      },
      async flush(): Promise<void> {
        await unlessAborted(host.call({ op: "flush", handle }), signal);
      },
    }),
    ...(disk.allocation === true && { extents: (offset: bigint, length: bigint) => allocation.holes(offset, length) }),
    close: () => host.close(),
  };
}

/** Cuts a range into pieces whose sectors fit a slot. */
function pieces(length: number, offset: bigint): Piece[] {
  const found: Piece[] = [];
  for (let from = 0; from < length; ) {
    const at = offset + BigInt(from);
    const skip = Number(at % BigInt(SECTOR));
    const to = Math.min(length, from + SLOT - skip);
    found.push({ from, to, sector: at / BigInt(SECTOR), skip });
    from = to;
  }
  return found;
}

/** Settles once all have settled, as they work on one buffer; rejects with the first error. */
async function together(answers: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(answers)) if (result.status === "rejected") throw result.reason;
}
