// Exported as "@diskwright/torrent/command": what `diskwright serve torrent` finds.

import { type PluginEntry, pluginEntry } from "diskwright/command";
import { interfaceOf } from "./interfaces.ts";
import { torrent } from "./torrent.ts";

/** The plugins of this package, as the command line has them. */
export const plugins: readonly PluginEntry[] = [
  pluginEntry({
    name: "torrent",
    summary: "A file of a torrent, downloaded as it is read",
    keys: {
      torrent: { type: "string", magic: true, help: "A .torrent file, a magnet link or an info hash" },
      file: { type: "string", help: "Which file of the torrent (default: the largest)" },
      cache: { type: "path", help: "A folder to keep the files in (default: a temporary one)" },
      "connections-limit": { type: "integer", default: "200", help: "Peers that are connected at the same time" },
      "download-rate-limit": { type: "size", default: "0", help: "Bits per second to receive at most; 0: no limit" },
      "upload-rate-limit": { type: "size", default: "0", help: "Bits per second to send at most; 0: no limit" },
      "listen-interfaces": { type: "string", help: "Where to listen for peers: ADDRESS:PORT" },
      "outgoing-interfaces": { type: "string", help: "The address that connections to peers come from" },
      "user-agent": { type: "string", help: "What trackers are told that we are" },
      timeout: { type: "duration", default: "60", help: "How long a read waits while nothing arrives" },
      "read-ahead": { type: "size", default: "16M", help: "Bytes behind each read that are downloaded too" },
      "download-all": { type: "boolean", default: "false", help: "Download the whole file in the background" },
      upload: { type: "boolean", default: "true", help: "Give peers what has been downloaded" },
      tracker: { type: "string", repeatable: true, help: "A further tracker" },
      trackers: { type: "boolean", default: "true", help: "Ask trackers for peers" },
      "web-seed": { type: "string", repeatable: true, help: "A further web seed" },
      "web-seeds": { type: "boolean", default: "true", help: "Download from web seeds" },
      peer: { type: "string", repeatable: true, help: "A peer that is known already: HOST:PORT" },
      dht: { type: "boolean", default: "true", help: "Look for peers in the distributed hash table" },
      "local-discovery": { type: "boolean", default: "false", help: "Look for peers in the local network" },
      "peer-exchange": { type: "boolean", default: "true", help: "Have peers tell of other peers" },
      "port-mapping": { type: "boolean", default: "false", help: "Ask the router to let peers in" },
    },
    create: (options) => {
      const { torrent: source, tracker, trackers, "web-seed": webSeed, "web-seeds": webSeeds } = options;
      if (source === undefined) throw new Error("torrent= is missing: a .torrent file, a magnet link or an info hash");
      if (trackers === false && tracker !== undefined) throw new Error("tracker= and trackers=false cannot both be meant");
      if (webSeeds === false && webSeed !== undefined) throw new Error("web-seed= and web-seeds=false cannot both be meant");
      const given = {
        file: options.file,
        cacheDir: options.cache,
        connectionsLimit: options["connections-limit"],
        downloadRateLimit: options["download-rate-limit"],
        uploadRateLimit: options["upload-rate-limit"],
        ...interfaceOf(options["listen-interfaces"], options["outgoing-interfaces"]),
        userAgent: options["user-agent"],
        timeout: options.timeout,
        readAhead: options["read-ahead"],
        downloadAll: options["download-all"],
        upload: options.upload,
        trackers: trackers === false ? false : tracker,
        webSeeds: webSeeds === false ? false : webSeed,
        peers: options.peer,
        dht: options.dht,
        localDiscovery: options["local-discovery"],
        peerExchange: options["peer-exchange"],
        portMapping: options["port-mapping"],
      };
      return torrent(source, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
    },
  }),
];
