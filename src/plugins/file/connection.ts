// A client's view of an open file.

import { fdatasync } from "node:fs";
import type { BlockSize, Connection } from "../../contract/connection.ts";
import { failAfter } from "../../contract/every-step.ts";
import { type Native, native } from "../../native/index.ts";
import { type Holes, holes, knowsHoles } from "./extents.ts";
import type { OpenFile } from "./open.ts";
import { reading } from "./read.ts";
import { scanning } from "./scan.ts";
import { Uncached } from "./uncached.ts";
import { writing } from "./write.ts";
import { zeroing } from "./zero.ts";

/** How the file is used. */
export interface FileUse {
  /** What was read and written is let go. */
  readonly uncached: boolean;
  readonly advice: "normal" | "random" | "sequential";
  /** Writes are made at once while they do not wait. */
  readonly inlineWrites: boolean;
}

/** Makes a connection of an open file; closing the one closes the other. */
export async function connectionTo(file: OpenFile, use: FileUse): Promise<Connection> {
  try {
    return await connectionOver(file, use, native());
  } catch (error) {
    return failAfter(error, file.close);
  }
}

async function connectionOver(
  file: OpenFile,
  { uncached, advice, inlineWrites }: FileUse,
  system: Native | undefined,
): Promise<Connection> {
  const { fd, size, writable, device } = file;
  // A hint: a file system that takes none is as good.
  if (system !== undefined && advice !== "normal") await system.advise(fd, 0n, 0n, advice).catch(() => undefined);
  const known = system !== undefined && (await knowsHoles(file, system)) ? holes(file, system) : undefined;
  const extents = known?.list ?? (system === undefined && device === false ? scanning(file) : undefined);
  const connection: Connection = {
    size,
    blockSize: blockSizeOf(file),
    traits: {
      multiConn: true,
      fastZero: writable && system !== undefined,
      rotational: typeof device === "object" && device.rotational,
    },
    read: reading(file, system),
    ...(writable && changing(file, system, known, inlineWrites)),
    ...(extents && { extents }),
    ...(system && { cache: (offset, length) => system.advise(fd, offset, length, "willneed") }),
    close: file.close,
  };
  return uncached && system !== undefined ? letGo(connection, new Uncached(fd, system)) : connection;
}

/** What changes the file. */
function changing(file: OpenFile, system: Native | undefined, known: Holes | undefined, inline: boolean): Partial<Connection> {
  const write = writing(file, system, inline);
  const flush = (): Promise<void> => dataSync(file.fd);
  if (system === undefined) return { write, flush };
  const { zero, trim } = zeroing(file, system, write);
  const thenForget = async (done: Promise<void>): Promise<void> => {
    await done;
    known?.forget();
  };
  return {
    write,
    flush,
    zero: (offset, length, flags) => thenForget(zero(offset, length, flags)),
    trim: (offset, length) => thenForget(trim(offset, length)),
  };
}

/** The same connection, which keeps nothing in the page cache. */
function letGo(connection: Connection, uncached: Uncached): Connection {
  const { read, write, flush, close } = connection;
  return {
    ...connection,
    async read(target, offset) {
      await read(target, offset);
      await uncached.read(offset, target.length);
    },
    ...(write && {
      async write(source, offset, flags) {
        await write(source, offset, flags);
        await uncached.wrote(offset, source.length);
      },
    }),
    ...(flush && {
      async flush() {
        await flush();
        await uncached.flushed();
      },
    }),
    async close() {
      await uncached.flushed();
      await close?.();
    },
  };
}

/** Any range is welcome; whole pages are what suits the page cache. */
function blockSizeOf({ blockSize }: OpenFile): BlockSize {
  const preferred = blockSize >= PAGE && blockSize <= LARGEST_PREFERRED && Number.isInteger(Math.log2(blockSize)) ? blockSize : PAGE;
  return { minimum: 1, preferred, maximum: 0xffffffff };
}

const PAGE = 4096;
/** Network file systems name the size of their requests, which is not what a client is to align to. */
const LARGEST_PREFERRED = 65536;

function dataSync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}
