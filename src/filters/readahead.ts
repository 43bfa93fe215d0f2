// The readahead filter: what a client that reads in sequence will want next is fetched while it works on what it has.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import { Prefetched } from "./readahead/prefetched.ts";
import { type Range, Sequence } from "./readahead/sequence.ts";

/** Bytes that the layer below is asked to bring near, beyond what is read. */
const LONGEST = 4 * 1024 * 1024;
/** Bytes that are read ahead into memory for one client, beyond what it reads. */
const LONGEST_KEPT = 2 * 1024 * 1024;
/** Prefetches under way for one client. */
const MOST = 4;

/**
 * Reads ahead for clients that read in sequence: the further they get, the further, up to 4 MiB.
 *
 * Where the layer below can bring ranges near (NBD_CMD_CACHE: {@link cache} or {@link cow} with `onCache`, a file, a remote disk), it is asked to.
 * Where it cannot, and answers later, up to 2 MiB for each client are read into memory. What is written through this filter is never read out
 * of date.
 *
 * @example A slow disk that is read from one end to the other
 * ```ts
 * await using server = await serve(pipe(mySlowDisk, readahead()));
 * ```
 */
export function readahead(): Filter {
  return (next) => {
    const kept = new Map<string, Set<Prefetched>>();
    return filter("readahead", (disk, { exportName }) => {
      if (disk.capabilities.cache === "native") return askingBelow(disk);
      const clients = kept.get(exportName) ?? new Set();
      kept.set(exportName, clients);
      return keeping(disk, clients);
    })(next);
  };
}

/** Asks the layer below to bring near what is next. */
function askingBelow(disk: Disk): Overrides {
  const sequence = new Sequence(disk.size, LONGEST);
  const { views } = disk;
  let underWay = 0;

  const end = (): void => {
    underWay -= 1;
  };
  /** Whether that succeeds is the layer's own affair: the client's read will tell what is wrong. */
  const prefetch = ({ start, end: stop }: Range): void => {
    if (underWay >= MOST) return;
    try {
      const done = disk.cache(start, stop - start);
      if (!isPromise(done)) return;
      underWay += 1;
      done.then(end, end);
    } catch {
      // As above.
    }
  };
  const watch = (offset: bigint, length: number): void => {
    const range = sequence.next(offset, length);
    if (typeof range === "object") prefetch(range);
  };

  return {
    read(target, offset) {
      const done = disk.read(target, offset);
      watch(offset, target.length);
      return done;
    },
    ...(views && {
      views(offset: bigint, length: number) {
        const lent = views(offset, length);
        if (lent !== undefined) watch(offset, length);
        return lent;
      },
    }),
    traits: { trimZeroes: disk.capabilities.trimZeroes },
  };
}

/** Reads ahead into memory. */
function keeping(disk: Disk, clients: Set<Prefetched>): Overrides {
  const sequence = new Sequence(disk.size, LONGEST_KEPT);
  const ahead = new Prefetched(disk);
  const { capabilities: can, views } = disk;
  clients.add(ahead);

  /** What anybody read ahead of a range is out of date, both when its change begins and when it is done. */
  const invalidate = (offset: bigint, end: bigint): void => {
    for (const client of clients) if (!client.empty) client.invalidate(offset, end);
  };
  const changing = (offset: bigint, length: bigint, change: () => Awaitable<void>): Awaitable<void> => {
    const end = offset + length;
    invalidate(offset, end);
    const done = change();
    return isPromise(done) ? settled(done, () => invalidate(offset, end)) : done;
  };

  return {
    read(target, offset) {
      const range = sequence.next(offset, target.length);
      if (range === "elsewhere") ahead.clear();
      const taken = ahead.empty ? undefined : ahead.take(target, offset);
      const done = taken === undefined ? disk.read(target, offset) : orRead(taken, disk, target, offset);
      if (typeof range === "object" && isPromise(done)) ahead.fetch(range);
      return done;
    },
    // Those who lend have the bytes at hand.
    ...(views && { views }),
    ...(can.write && {
      write: (source, offset, flags) => changing(offset, BigInt(source.length), () => disk.write(source, offset, flags)),
    }),
    ...(can.zero && { zero: (offset, length, flags) => changing(offset, length, () => disk.zero(offset, length, flags)) }),
    ...(can.trim && { trim: (offset, length, flags) => changing(offset, length, () => disk.trim(offset, length, flags)) }),
    traits: { trimZeroes: can.trimZeroes },
    close: () => void clients.delete(ahead),
  };
}

async function settled(done: PromiseLike<void>, then: () => void): Promise<void> {
  try {
    await done;
  } finally {
    then();
  }
}

async function orRead(taken: Promise<boolean>, disk: Disk, target: Uint8Array, offset: bigint): Promise<void> {
  if (!(await taken)) await disk.read(target, offset);
}
