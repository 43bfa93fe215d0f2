// The BitTorrent client: webtorrent with one torrent, told which pieces are wanted, telling which are there.

import net from "node:net";
import WebTorrent, { type Options, type Torrent } from "webtorrent";
import type { ClientOptions, Order, Report } from "../messages.ts";
import { type Metainfo, parseMetainfo } from "../metainfo/metainfo.ts";
import { banCorrupt } from "./bans.ts";
import { limitMessages } from "./limit-messages.ts";
import { toParsed } from "./parsed.ts";
import { PieceFiles } from "./piece-files.ts";
import { Progress } from "./progress.ts";

/** How often it is told how things go. */
const STATUS_INTERVAL = 250;
/** So many peers are counted. */
const MANY = 10_000;

/** Downloads one torrent. */
export class Client {
  readonly #options: ClientOptions;
  readonly #report: (report: Report) => void;
  readonly #client: WebTorrent;
  readonly #torrent: Torrent;
  readonly #progress: Progress;
  readonly #selected = new Map<number, { readonly from: number; readonly to: number }>();
  readonly #statusTimer: NodeJS.Timeout;
  #metainfo: Metainfo | undefined;
  #trouble: string | undefined;
  #verified: number[] = [];
  readonly #known = new Set<unknown>();

  constructor(options: ClientOptions, report: (report: Report) => void) {
    this.#options = options;
    this.#report = report;
    this.#metainfo = options.metainfo === undefined ? undefined : parseMetainfo(options.metainfo);
    bindTo(options.outgoingAddress);
    this.#client = new WebTorrent(toWebTorrent(options, this.#metainfo?.private === true));
    this.#client.on("error", this.#fail);
    this.#client.on("listening", () => report({ type: "listening", port: this.#client.torrentPort }));
    this.#torrent = this.#add();
    this.#progress = new Progress(this.#torrent);
    this.#statusTimer = setInterval(() => this.#tellStatus(), STATUS_INTERVAL);
  }

  /** Does what is asked, once the torrent is known. */
  obey(order: Exclude<Order, { readonly type: "close" }>): void {
    if (this.#torrent.destroyed) return;
    if (order.type === "deselect") {
      const range = this.#selected.get(order.id);
      if (range === undefined) return;
      this.#selected.delete(order.id);
      this.#progress.unwant(order.id);
      this.#torrent._deselect(range.from, range.to, true);
      return;
    }
    const { id, from, to, urgent } = order;
    this.#selected.set(id, { from, to });
    if (urgent) {
      this.#progress.want(id, from, to);
      // Critical pieces may be taken over from peers that are slow to send them.
      for (let piece = from; piece <= to; piece += 1) this.#torrent._critical[piece] = true;
    }
    // Those with a priority are shuffled among each other by webtorrent: only what is urgent has one.
    this.#torrent._select(from, to, urgent ? 1 : 0, null, true);
  }

  /** Ends everything; trackers are told. */
  close(): Promise<void> {
    clearInterval(this.#statusTimer);
    return new Promise((resolve) => {
      if (this.#client.destroyed) resolve();
      else this.#client.destroy(() => resolve());
    });
  }

  #add(): Torrent {
    const { infoHash, trackers, webSeeds, peers, useTrackers, useWebSeeds, upload, folder } = this.#options;
    const client = this;
    const known = {
      infoHash,
      announce: useTrackers ? trackers : [],
      urlList: useWebSeeds ? webSeeds : [],
      peerAddresses: peers,
    };
    const torrent = this.#client.add(this.#metainfo === undefined ? known : { ...known, ...toParsed(this.#metainfo) }, {
      // It is made once it is known what is to be kept.
      store: function PieceStore() {
        return new PieceFiles(folder, client.#metainfo as Metainfo);
      } as unknown as new () => PieceFiles,
      // The system keeps what was read.
      storeCacheSlots: 0,
      deselect: true,
      uploads: upload ? 10 : false,
    });
    torrent.on("error", this.#fail);
    torrent.on("warning", (warning: Error) => {
      this.#trouble = warning.message;
      this.#report({ type: "warning", text: warning.message });
    });
    torrent.on("peer", (peer: unknown) => {
      if (this.#known.size < MANY) this.#known.add(peer);
    });
    torrent.on("ready", () => this.#report({ type: "checked" }));
    torrent.on("verified", (piece: number) => this.#tellVerified(piece));
    this.#readMetainfoOfPeers(torrent);
    limitMessages(torrent);
    banCorrupt(this.#client, torrent, (who, piece) => {
      this.#trouble = `${who} sent a damaged piece ${piece} and was sent away`;
      this.#report({ type: "warning", text: this.#trouble });
    });
    return torrent;
  }

  /** What peers say of the torrent is read by the same eyes as a torrent file, before webtorrent makes anything of it. */
  #readMetainfoOfPeers(torrent: Torrent): void {
    const understand = torrent._onMetadata.bind(torrent);
    torrent._onMetadata = async (metadata) => {
      try {
        if (!(metadata instanceof Uint8Array)) return await understand(metadata);
        if (this.#metainfo !== undefined) return;
        const metainfo = parseMetainfo(metadata);
        if (metainfo.infoHash !== this.#options.infoHash) throw new Error("peers sent the metadata of another torrent");
        this.#metainfo = metainfo;
        this.#report({ type: "metainfo", bytes: Uint8Array.from(metadata) });
        await understand({ ...toParsed(metainfo), infoHash: metainfo.infoHash, announce: [], urlList: [] });
      } catch (error) {
        torrent._destroy(error as Error);
      }
    };
  }

  /** Pieces are told of together: there are thousands when a folder is verified. */
  #tellVerified(piece: number): void {
    if (this.#verified.length === 0) {
      setImmediate(() => {
        this.#report({ type: "verified", pieces: this.#verified });
        this.#verified = [];
      });
    }
    this.#verified.push(piece);
  }

  #tellStatus(): void {
    const { numPeers, received, uploaded, downloadSpeed, uploadSpeed, destroyed } = this.#torrent;
    if (destroyed) return;
    this.#report({
      type: "status",
      peers: numPeers,
      known: this.#known.size,
      received,
      sent: uploaded,
      downloadSpeed,
      uploadSpeed,
      advance: this.#progress.look(),
      trouble: this.#trouble,
    });
  }

  readonly #fail = (error: Error): void => this.#report({ type: "failed", text: error.message });
}

function toWebTorrent(options: ClientOptions, isPrivate: boolean): Options {
  const { host, port, dht, userAgent } = options;
  return {
    // Handed on to listen(), which takes a place as well as a port.
    torrentPort: { port, ...(host !== undefined && { host }) },
    maxConns: options.connections,
    dht: dht === false || isPrivate ? false : dht === true ? {} : { bootstrap: dht },
    lsd: options.localDiscovery && !isPrivate,
    utPex: options.peerExchange,
    natUpnp: options.portMapping,
    natPmp: options.portMapping,
    utp: false,
    webSeeds: options.useWebSeeds,
    tracker: options.useTrackers ? { wrtc: false, ...(userAgent !== undefined && { userAgent }) } : false,
    downloadLimit: options.downloadLimit,
    uploadLimit: options.uploadLimit,
  };
}

/** Connections to peers leave from this address. The module is this thread's own. */
function bindTo(localAddress: string | undefined): void {
  if (localAddress === undefined) return;
  const connect = net.connect as (options: net.NetConnectOpts) => net.Socket;
  net.connect = ((options: net.TcpNetConnectOpts) => connect({ ...options, localAddress })) as typeof net.connect;
}
