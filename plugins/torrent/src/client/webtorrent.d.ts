// The types of what is used of webtorrent 2.8.5, which has none.

declare module "webtorrent" {
  import type { EventEmitter } from "node:events";

  interface Options {
    readonly torrentPort?: unknown;
    readonly maxConns?: number;
    readonly dht?: false | { readonly bootstrap?: readonly string[] };
    readonly lsd?: boolean;
    readonly utPex?: boolean;
    readonly natUpnp?: boolean;
    readonly natPmp?: boolean;
    readonly utp?: boolean;
    readonly webSeeds?: boolean;
    readonly tracker?: false | { readonly wrtc: false; readonly userAgent?: string };
    readonly downloadLimit?: number;
    readonly uploadLimit?: number;
  }

  /** A torrent as parse-torrent has it. */
  interface Parsed {
    readonly infoHash: string;
    readonly announce: readonly string[];
    readonly urlList: readonly string[];
    readonly peerAddresses?: readonly string[];
    readonly private?: boolean;
    readonly name?: string;
    readonly info?: unknown;
    readonly files?: readonly { readonly path: string; readonly name: string; readonly length: number; readonly offset: number }[];
    readonly length?: number;
    readonly pieceLength?: number;
    readonly lastPieceLength?: number;
    readonly pieces?: readonly string[];
  }

  interface AddOptions {
    readonly storeCacheSlots: number;
    readonly deselect: boolean;
    readonly uploads: number | false;
    readonly maxWebConns?: number;
  }

  type Done = (error: Error | null, bytes?: Uint8Array) => void;

  /** Where pieces are kept: abstract-chunk-store. */
  interface ChunkStore {
    put(index: number, bytes: Uint8Array, done: Done): void;
    get(index: number, options: { readonly offset?: number; readonly length?: number } | undefined | null, done: Done): void;
    close(done: Done): void;
    destroy(done: Done): void;
  }

  /** A piece that is not there yet, in blocks of 16 KiB. */
  interface Piece {
    readonly length: number;
    readonly missing: number;
    readonly _chunks: number;
    /** So many blocks, from the first, have been asked of somebody. */
    readonly _reservations: number;
    /** Blocks before that which are to be asked for again. */
    readonly _cancellations: readonly number[] | null;
  }

  interface Wire extends EventEmitter {
    readonly type: string;
    readonly remoteAddress?: string;
    readonly destroyed: boolean;
    readonly peerChoking: boolean;
    readonly peerPieces: { get(index: number): boolean };
    readonly requests: readonly { readonly piece: number; readonly offset: number; readonly length: number }[];
    downloadSpeed(): number;
    unchoke: () => void;
    cancel(piece: number, offset: number, length: number): void;
    destroy(): void;
  }

  class Torrent extends EventEmitter {
    readonly destroyed: boolean;
    readonly infoHash: string;
    readonly numPeers: number;
    readonly received: number;
    readonly uploaded: number;
    readonly downloadSpeed: number;
    readonly uploadSpeed: number;
    readonly wires: readonly Wire[];
    readonly bitfield?: { get(index: number): boolean };
    /** What is missing of each piece; `null` once it is there. */
    readonly pieces: readonly (Piece | null | undefined)[];
    readonly _critical: (boolean | undefined)[];
    _startupBitfield: Uint8Array;
    _store: new () => ChunkStore;
    _onMetadata(metadata: unknown): Promise<void>;
    _destroy(error: Error): void;
    _update(): void;
    _select(from: number, to: number, priority: number, notify: null, isStreamSelection: boolean): void;
    _deselect(from: number, to: number, isStreamSelection: boolean): void;
    critical(from: number, to: number): void;
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: Options);
    readonly destroyed: boolean;
    readonly torrentPort: number;
    blocked?: { contains(host: string): boolean };
    add(torrent: Parsed, options: AddOptions): Torrent;
    destroy(done: (error?: Error) => void): void;
  }

  export type { AddOptions, ChunkStore, Done, Options, Parsed, Torrent, Wire };
}
