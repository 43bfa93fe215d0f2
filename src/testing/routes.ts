// The ways on which a disk is tested: as it is, seen through a filter, and over a real socket.

import { connect } from "../client/index.ts";
import { type Disk, filter, type OpenDiskOptions, openDisk, type Plugin, pipe } from "../contract/index.ts";
import { serve } from "../server/index.ts";

/** A way to a disk. */
export type RouteName = "directly" | "through a filter" | "over a socket";

/** A plugin that clients can come to. */
export interface Route {
  /** Opens the disk for one more client. */
  open(options: OpenDiskOptions): Promise<Disk>;
  /** Is done, when all clients have left. */
  close(): Promise<void>;
}

/** Makes the way to a plugin. */
export const routes: Readonly<Record<RouteName, (plugin: Plugin) => Promise<Route>>> = {
  directly: async (plugin) => direct(plugin),
  "through a filter": async (plugin) => direct(pipe(plugin, relay)),
  "over a socket": overSocket,
};

function direct(plugin: Plugin): Route {
  return { open: (options) => openDisk(plugin, options), close: async () => undefined };
}

async function overSocket(plugin: Plugin): Promise<Route> {
  const server = await serve(plugin);
  return {
    open: ({ exportName, signal }) => {
      const uri = exportName === undefined ? server.uri : server.uriOf(exportName);
      return connect(uri as string, signal === undefined ? {} : { signal });
    },
    close: () => server.close(),
  };
}

/** A filter that overrides everything and changes nothing: it lets the disk below be completed once more. */
const relay = filter("relay", ({ read, views, room, write, flush, trim, zero, extents, cache, capabilities }) => ({
  traits: { trimZeroes: capabilities.trimZeroes },
  read: (target, offset) => read(target, offset),
  ...(room && { room: (offset: bigint, length: number) => room(offset, length) }),
  ...(views && { views: (offset: bigint, length: number) => views(offset, length) }),
  ...(capabilities.write && { write: (source, offset, flags) => write(source, offset, flags) }),
  ...(capabilities.flush && { flush: () => flush() }),
  ...(capabilities.trim && { trim: (offset, length, flags) => trim(offset, length, flags) }),
  ...(capabilities.zero && { zero: (offset, length, flags) => zero(offset, length, flags) }),
  ...(capabilities.extents && { extents: (offset, length, flags) => extents(offset, length, flags) }),
  ...(capabilities.cache === "native" && { cache: (offset, length) => cache(offset, length) }),
}));
