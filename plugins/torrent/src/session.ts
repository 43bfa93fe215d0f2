// A torrent from the first client to the last: its folder, its swarm, and the file that is served.

import { type FileHandle, open } from "node:fs/promises";
import { debuglog } from "node:util";
import { DiskError } from "diskwright";
import { chooseFile } from "./choose-file.ts";
import { pathOf } from "./client/piece-files.ts";
import { type Folder, openFolder } from "./folder.ts";
import type { Metainfo, TorrentFile } from "./metainfo/metainfo.ts";
import type { Settings, TorrentProgress } from "./options.ts";
import { type Found, find, readMetainfo } from "./source.ts";
import { Swarm } from "./swarm.ts";

const debug = debuglog("diskwright-torrent");

/** The file that is served, and its place among the pieces. */
export interface Served {
  readonly metainfo: Metainfo;
  readonly file: TorrentFile;
  readonly firstPiece: number;
  readonly lastPiece: number;
}

/** Downloads a torrent while it is served. */
export class Session {
  readonly swarm: Swarm;
  readonly #settings: Settings;
  readonly #folder: Folder;
  #served: Served | undefined;
  #handle: Promise<FileHandle> | undefined;
  #remembering: Promise<void> | undefined;
  #shown = "";

  private constructor(folder: Folder, found: Found, settings: Settings) {
    this.#folder = folder;
    this.#settings = settings;
    const { trackers, webSeeds, peers } = settings;
    this.swarm = new Swarm(
      {
        ...found,
        trackers: [...found.trackers, ...(trackers || [])],
        webSeeds: [...found.webSeeds, ...(webSeeds || [])],
        peers: [...found.peers, ...peers],
        folder: folder.path,
        upload: settings.upload,
        downloadLimit: settings.downloadLimit,
        uploadLimit: settings.uploadLimit,
        connections: settings.connections,
        host: settings.host,
        port: settings.port,
        outgoingAddress: settings.outgoingAddress,
        useTrackers: trackers !== false,
        useWebSeeds: webSeeds !== false,
        dht: settings.dht,
        localDiscovery: settings.localDiscovery,
        peerExchange: settings.peerExchange,
        portMapping: settings.portMapping,
        userAgent: settings.userAgent,
      },
      settings.timeout,
      (text) => debug(text),
    );
    this.swarm.changed = () => this.#showProgress();
  }

  /**
   * Starts the client.
   *
   * @throws DiskError when the source is no torrent, or the torrent has not the file
   */
  static async start(source: string | Uint8Array, settings: Settings): Promise<Session> {
    const found = await find(source);
    if (found.metainfo !== undefined) chooseFile(readMetainfo(found.metainfo), settings.file);
    const folder = await openFolder(settings.cacheDir);
    const metainfo = found.metainfo ?? (await folder.recall(found.infoHash));
    return new Session(folder, metainfo === undefined ? found : { ...found, metainfo }, settings);
  }

  /** Waits until it is known what the torrent is, and chooses the file. */
  async served(signal: AbortSignal): Promise<Served> {
    const metainfo = await this.swarm.known(signal);
    if (this.#served !== undefined) return this.#served;
    const file = chooseFile(metainfo, this.#settings.file);
    const firstPiece = Math.floor(file.offset / metainfo.pieceLength);
    const lastPiece = Math.floor((file.offset + Math.max(file.length, 1) - 1) / metainfo.pieceLength);
    this.#served = { metainfo, file, firstPiece, lastPiece };
    this.#remembering ??= this.#folder.remember(metainfo.infoHash, metainfo.bytes).catch((error: Error) => debug(error.message));
    if (this.#settings.downloadAll && file.length > 0) this.swarm.select(firstPiece, lastPiece, false);
    return this.#served;
  }

  /** Reads what is there of the file. */
  async read(target: Uint8Array, offset: number): Promise<void> {
    const { metainfo, file } = this.#served as Served;
    this.#handle ??= open(pathOf(this.#folder.path, metainfo, file), "r");
    const handle = await this.#handle;
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await handle.read(target, done, target.length - done, offset + done);
      if (bytesRead === 0) {
        throw new DiskError("EIO", `the file ${file.path} in the cache folder was cut off after it had been verified`, {
          offset: BigInt(offset + done),
        });
      }
      done += bytesRead;
    }
  }

  /** Ends the client, and removes the folder if it is temporary. */
  async close(): Promise<void> {
    try {
      await this.swarm.close();
      await this.#remembering;
      await (await this.#handle?.catch(() => undefined))?.close();
    } finally {
      await this.#folder.close();
    }
  }

  #showProgress(): void {
    const { onProgress } = this.#settings;
    if (onProgress === undefined || this.#served === undefined) return;
    const { firstPiece, lastPiece } = this.#served;
    const { peers, known, received, sent, downloadSpeed, uploadSpeed, trouble } = this.swarm.status;
    const progress: TorrentProgress = {
      pieces: lastPiece - firstPiece + 1,
      verified: this.swarm.count(firstPiece, lastPiece),
      peers,
      known,
      received,
      sent,
      downloadSpeed,
      uploadSpeed,
      ...(trouble !== undefined && { trouble }),
    };
    const shown = JSON.stringify(progress);
    if (shown === this.#shown) return;
    this.#shown = shown;
    onProgress(progress);
  }
}
