// The BitTorrent client: webtorrent with one torrent, told which pieces are wanted, telling which are there.

import net from "node:net";
import WebTorrent, { type Options, type Parsed, type Torrent, type Wire } from "webtorrent";
import type { ClientOptions, Order, Report } from "../messages.ts";
import { type Metainfo, parseMetainfo } from "../metainfo/metainfo.ts";
import { banCorrupt } from "./bans.ts";
import { limitMessages } from "./limit-messages.ts";
import { makeRoom } from "./make-room.ts";
import { toParsed } from "./parsed.ts";
import { PieceFiles } from "./piece-files.ts";
import { Progress } from "./progress.ts";
import { verify } from "./verify.ts";

/** How often it is told how things go. */
const STATUS_INTERVAL = 250;
/** So many peers are counted. */
const MANY = 10_000;

/** What is wanted, and no more. */
type Wish = Exclude<Order, { readonly type: "close" }>;

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
  readonly #known = new Set<unknown>();
  /** What was asked for while webtorrent did not know of any pieces: it would throw, and nobody would ask again. */
  #early: Wish[] | undefined = [];

  constructor(options: ClientOptions, report: (report: Report) => void) {
    this.#options = options;
    this.#report = report;
    this.#metainfo = options.metainfo === undefined ? undefined : parseMetainfo(options.metainfo);
    setUpConnections(options.outgoingAddress);
    this.#client = new WebTorrent(toWebTorrent(options, this.#metainfo?.private === true));
    this.#client.on("error", this.#fail);
    this.#client.on("listening", () => report({ type: "listening", port: this.#client.torrentPort }));
    this.#torrent = this.#add();
    this.#progress = new Progress(this.#torrent);
    this.#statusTimer = setInterval(() => this.#tellStatus(), STATUS_INTERVAL);
  }

  /** Does what is asked, once the torrent is known, and what was in its folder verified. */
  obey(order: Wish): void {
    if (this.#torrent.destroyed) return;
    if (this.#early !== undefined) {
      this.#early.push(order);
      return;
    }
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
    if (urgent) makeRoom(this.#torrent, from, to, (piece) => this.#progress.wants(piece));
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
    const { infoHash, trackers, webSeeds, peers, useTrackers, useWebSeeds, upload } = this.#options;
    const known = {
      infoHash,
      announce: useTrackers ? trackers : [],
      urlList: useWebSeeds ? webSeeds : [],
      peerAddresses: peers,
    };
    const torrent = this.#client.add(this.#metainfo === undefined ? known : { ...known, ...toParsed(this.#metainfo) }, {
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
    torrent.on("wire", (wire: Wire) => {
      // Otherwise whoever is interested is given something.
      if (!upload) wire.unchoke = () => undefined;
      // A peer that says all it has to say at once, says it before webtorrent listens, and would then never be asked for anything.
      setImmediate(() => torrent._update());
    });
    // Not when it is ready: peers would be told of our interest before they are told what we have.
    torrent.on("metadata", () => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const order of early) this.obey(order);
    });
    torrent.on("ready", () => this.#report({ type: "checked" }));
    torrent.on("verified", (piece: number) => this.#report({ type: "verified", piece }));
    this.#prepare(torrent);
    limitMessages(torrent);
    banCorrupt(this.#client, torrent, (who, piece) => {
      this.#trouble = `${who} sent a damaged piece ${piece} and was sent away`;
      this.#report({ type: "warning", text: this.#trouble });
    });
    return torrent;
  }

  /**
   * Before webtorrent makes anything of a torrent, what peers say of it is read by the same eyes as a torrent file, and what is in the folder is
   * verified.
   */
  #prepare(torrent: Torrent): void {
    const understand = torrent._onMetadata.bind(torrent);
    torrent._onMetadata = async (metadata) => {
      try {
        const known = metadata instanceof Uint8Array ? this.#learn(metadata) : metadata;
        if (known === undefined) return;
        const metainfo = this.#metainfo as Metainfo;
        const files = new PieceFiles(this.#options.folder, metainfo);
        torrent._startupBitfield = await verify(
          this.#options.folder,
          metainfo,
          files,
          (piece) => this.#report({ type: "verified", piece }),
          () => torrent.destroyed,
        );
        torrent._store = function PieceStore() {
          return files;
        } as unknown as new () => PieceFiles;
        await understand(known);
      } catch (error) {
        torrent._destroy(error as Error);
      }
    };
  }

  /** What peers say that the torrent is; `undefined`: others have said so before. */
  #learn(bytes: Uint8Array): Parsed | undefined {
    if (this.#metainfo !== undefined) return undefined;
    const metainfo = parseMetainfo(bytes);
    if (metainfo.infoHash !== this.#options.infoHash) throw new Error("peers sent the metadata of another torrent");
    this.#metainfo = metainfo;
    this.#report({ type: "metainfo", bytes: Uint8Array.from(bytes) });
    return { ...toParsed(metainfo), infoHash: metainfo.infoHash, announce: [], urlList: [] };
  }

  #tellStatus(): void {
    const { numPeers, received, uploaded, downloadSpeed, uploadSpeed, destroyed } = this.#torrent;
    if (destroyed) return;
    if (this.#selected.size > 0) this.#torrent._update();
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

/**
 * Connections to peers leave from this address, if it is given, and small messages are not kept back: without that each piece takes 40 ms longer,
 * as the second request waits until the first has been acknowledged. The module is this thread's own.
 */
function setUpConnections(localAddress: string | undefined): void {
  const { connect, createServer } = net;
  const options = { noDelay: true, ...(localAddress !== undefined && { localAddress }) };
  net.connect = ((place: net.TcpNetConnectOpts) => connect({ ...place, ...options })) as typeof net.connect;
  net.createServer = (() => createServer({ noDelay: true })) as typeof net.createServer;
}
