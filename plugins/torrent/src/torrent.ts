// The torrent plugin: a file of a torrent as a read-only disk, downloaded as it is read.

import type { Plugin } from "diskwright";
import { connectionTo } from "./connection.ts";
import { settingsOf, type TorrentOptions } from "./options.ts";
import { Session } from "./session.ts";
import { checkSource } from "./source.ts";

/**
 * A file of a torrent as a read-only disk. Reads wait for the pieces that they need, which are asked for before all others; every piece is verified.
 * While it is served, peers are given what has been downloaded.
 *
 * BitTorrent runs in a thread of its own, which is ended when the plugin closes. A read for which nothing arrives within `timeout` fails with
 * ETIMEDOUT, and says how many peers there were; so does opening a magnet link of which no peer can say what it is.
 *
 * @param source - the path of a .torrent file, its bytes, a magnet link, or an info hash of 40 hexadecimal digits
 * @throws DiskError EINVAL when the source or an option is not what it should be
 * @example Serve the largest file of a torrent
 * ```ts
 * await using server = await serve(torrent("debian.iso.torrent", { cacheDir: "/var/cache/torrents" }));
 * ```
 * @example A file of a torrent in a local network: no tracker, no search for peers
 * ```ts
 * const disk = torrent("images.torrent", { file: "disks/root.img", peers: ["192.0.2.7:51413"], trackers: false, dht: false });
 * ```
 */
export function torrent(source: string | Uint8Array, options: TorrentOptions = {}): Plugin {
  checkSource(source);
  const settings = settingsOf(options);
  let session: Promise<Session> | undefined;

  /** One that cannot go on is replaced when the next client comes. */
  const current = async (): Promise<Session> => {
    const running = await session;
    if (running !== undefined && running.swarm.failure === undefined) return running;
    return restart(running);
  };
  const restart = (failed: Session | undefined): Promise<Session> => {
    const started = (async () => {
      await failed?.close();
      return Session.start(source, settings);
    })();
    session = started;
    started.catch(() => {
      if (session === started) session = undefined;
    });
    return started;
  };

  return {
    name: "torrent",
    async start() {
      await restart(undefined);
    },
    async open({ signal }) {
      const running = await current();
      return connectionTo(running, await running.served(signal), settings.readAhead, signal);
    },
    async close() {
      const closing = session;
      session = undefined;
      await (await closing)?.close();
    },
  };
}
