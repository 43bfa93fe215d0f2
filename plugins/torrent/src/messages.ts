// What the thread with the BitTorrent client and the rest of the plugin say to each other.

import type { Found } from "./source.ts";

/** What the client is started with. */
export interface ClientOptions extends Found {
  /** Where the torrent's files are kept. */
  readonly folder: string;
  readonly upload: boolean;
  /** Bytes per second; -1: no limit. */
  readonly downloadLimit: number;
  readonly uploadLimit: number;
  readonly connections: number;
  readonly host: string | undefined;
  readonly port: number;
  readonly outgoingAddress: string | undefined;
  readonly useTrackers: boolean;
  readonly useWebSeeds: boolean;
  readonly dht: boolean | readonly string[];
  readonly localDiscovery: boolean;
  readonly peerExchange: boolean;
  readonly portMapping: boolean;
  readonly userAgent: string | undefined;
}

/** Said to the client. */
export type Order =
  /** Download these pieces; urgent: before all others. */
  | { readonly type: "select"; readonly id: number; readonly from: number; readonly to: number; readonly urgent: boolean }
  /** What was selected by this number is not wanted any more. */
  | { readonly type: "deselect"; readonly id: number }
  /** Let go of everything, say goodbye to the trackers and end. */
  | { readonly type: "close" };

/** Said by the client. */
export type Report =
  | { readonly type: "listening"; readonly port: number }
  /** Peers have told what the torrent is. */
  | { readonly type: "metainfo"; readonly bytes: Uint8Array }
  /** A piece is in its files, and is what it should be. */
  | { readonly type: "verified"; readonly piece: number }
  /** What was in the folder has been verified. */
  | { readonly type: "checked" }
  | ({ readonly type: "status" } & Status)
  | { readonly type: "warning"; readonly text: string }
  /** It cannot go on. */
  | { readonly type: "failed"; readonly text: string }
  | { readonly type: "closed" };

/** How it goes. */
export interface Status {
  /** Peers that are connected. */
  readonly peers: number;
  /** Peers that are known. */
  readonly known: number;
  /** Bytes since the start. */
  readonly received: number;
  readonly sent: number;
  /** Bytes per second. */
  readonly downloadSpeed: number;
  readonly uploadSpeed: number;
  /** Rises whenever something arrives that was waited for; not when the same arrives once more. */
  readonly advance: number;
  /** What went wrong last, of that which does not end it: a tracker that cannot be reached. */
  readonly trouble: string | undefined;
}
