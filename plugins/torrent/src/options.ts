// The options of the plugin, checked.

import { isIP } from "node:net";
import { resolve } from "node:path";
import { DiskError, type Duration, parseSize, type Size } from "diskwright";

/** How a {@link torrent} is downloaded, and what is done for others. */
export interface TorrentOptions {
  /** Which file of the torrent: its path, with or without the torrent's name before it. Default: the largest. */
  readonly file?: string;
  /**
   * A folder where the files are kept, under their names, as other BitTorrent clients do. What is there already is verified and used. Default: a
   * temporary folder that is removed when the plugin closes.
   */
  readonly cacheDir?: string;
  /** How long a request waits while nothing of what it needs arrives. Seconds, or a string with a unit. Default: 60. */
  readonly timeout?: Duration;
  /** Bytes behind each read that are downloaded too, after what is asked for. Default: 16M. */
  readonly readAhead?: Size;
  /** Downloads the whole file in the background, from the start. Default: false. */
  readonly downloadAll?: boolean;
  /** Bits per second that are received at most; 0: no limit. Default: 0. */
  readonly downloadRateLimit?: Size;
  /** Bits per second that are sent at most; 0: no limit. Default: 0. */
  readonly uploadRateLimit?: Size;
  /** Whether peers are given what has been downloaded. Default: true. */
  readonly upload?: boolean;
  /** Peers that are connected at the same time. Default: 200. */
  readonly connectionsLimit?: number;
  /** The address that is listened at for peers. Default: all addresses. */
  readonly host?: string;
  /** The port that is listened at for peers. Default: a free one. */
  readonly port?: number;
  /** The address that connections to peers come from. Default: what the system chooses. */
  readonly outgoingAddress?: string;
  /** Addresses of further trackers; `false`: no tracker is asked, not those of the torrent either. */
  readonly trackers?: readonly string[] | false;
  /** Addresses of further web seeds; `false`: none is used, not those of the torrent either. */
  readonly webSeeds?: readonly string[] | false;
  /** Peers that are known already, as `host:port`. */
  readonly peers?: readonly string[];
  /** Peers are looked for in the distributed hash table, beginning at these `host:port` or the usual ones. Never for a private torrent. Default: true. */
  readonly dht?: boolean | readonly string[];
  /** Peers are looked for in the local network. Default: false. */
  readonly localDiscovery?: boolean;
  /** Peers tell of other peers. Default: true. */
  readonly peerExchange?: boolean;
  /** The router is asked to let peers in, by UPnP and NAT-PMP. Default: false. */
  readonly portMapping?: boolean;
  /** What trackers are told that we are: `client/version`. Default: what webtorrent says. */
  readonly userAgent?: string;
  /** Called when something has changed, at most four times per second. */
  readonly onProgress?: (progress: TorrentProgress) => void;
}

/** How a download goes. */
export interface TorrentProgress {
  /** Pieces that the file which is served lies in. */
  readonly pieces: number;
  /** Those of them that are there, and verified. */
  readonly verified: number;
  /** Peers that are connected. */
  readonly peers: number;
  /** Peers that are known. */
  readonly known: number;
  /** Bytes that were received since the start. */
  readonly received: number;
  /** Bytes that were sent since the start. */
  readonly sent: number;
  /** Bytes per second. */
  readonly downloadSpeed: number;
  /** Bytes per second. */
  readonly uploadSpeed: number;
  /** What went wrong last, and did not end it: a tracker that cannot be reached, a peer that was sent away. */
  readonly trouble?: string;
}

/** The options, with defaults. */
export interface Settings {
  readonly file: string | undefined;
  readonly cacheDir: string | undefined;
  /** Milliseconds. */
  readonly timeout: number;
  readonly readAhead: number;
  readonly downloadAll: boolean;
  /** Bytes per second; -1: no limit. */
  readonly downloadLimit: number;
  readonly uploadLimit: number;
  readonly upload: boolean;
  readonly connections: number;
  readonly host: string | undefined;
  readonly port: number;
  readonly outgoingAddress: string | undefined;
  readonly trackers: readonly string[] | false;
  readonly webSeeds: readonly string[] | false;
  readonly peers: readonly string[];
  readonly dht: boolean | readonly string[];
  readonly localDiscovery: boolean;
  readonly peerExchange: boolean;
  readonly portMapping: boolean;
  readonly userAgent: string | undefined;
  readonly onProgress: ((progress: TorrentProgress) => void) | undefined;
}

/**
 * Checks the options.
 *
 * @throws DiskError EINVAL that names the option, its value and what is allowed
 */
export function settingsOf(options: TorrentOptions): Settings {
  const { file, cacheDir, userAgent, onProgress } = options;
  if (file !== undefined && (typeof file !== "string" || file === "")) throw refuse("file", file, "the path of a file in the torrent");
  if (cacheDir !== undefined && (typeof cacheDir !== "string" || cacheDir === ""))
    throw refuse("cacheDir", cacheDir, "the path of a folder");
  if (userAgent !== undefined && (typeof userAgent !== "string" || !/^[\x20-\x7e]+$/.test(userAgent))) {
    throw refuse("userAgent", userAgent, "a text of printable ASCII characters");
  }
  if (onProgress !== undefined && typeof onProgress !== "function") throw refuse("onProgress", onProgress, "a function");
  return {
    file,
    cacheDir: cacheDir === undefined ? undefined : resolve(cacheDir),
    timeout: toTimeout(options.timeout ?? 60),
    readAhead: Number(parseSize(options.readAhead ?? "16M", "readAhead")),
    downloadAll: toBoolean(options, "downloadAll", false),
    downloadLimit: toRate(options.downloadRateLimit ?? 0, "downloadRateLimit"),
    uploadLimit: toRate(options.uploadRateLimit ?? 0, "uploadRateLimit"),
    upload: toBoolean(options, "upload", true),
    connections: toInteger(options.connectionsLimit ?? 200, "connectionsLimit", 1, 65535),
    host: toAddress(options.host, "host"),
    port: toInteger(options.port ?? 0, "port", 0, 65535),
    outgoingAddress: toAddress(options.outgoingAddress, "outgoingAddress"),
    trackers: toAddresses(options.trackers ?? [], "trackers", /^(https?|udp|wss?):\/\/./),
    webSeeds: toAddresses(options.webSeeds ?? [], "webSeeds", /^https?:\/\/./),
    peers: toPeers(options.peers ?? [], "peers"),
    dht: typeof options.dht === "object" ? toPeers(options.dht, "dht") : toBoolean({ dht: options.dht }, "dht", true),
    localDiscovery: toBoolean(options, "localDiscovery", false),
    peerExchange: toBoolean(options, "peerExchange", true),
    portMapping: toBoolean(options, "portMapping", false),
    userAgent,
    onProgress,
  };
}

function toTimeout(value: Duration): number {
  const units: Readonly<Record<string, number>> = { "": 1000, s: 1000, ms: 1 };
  const match = /^(\d+(?:\.\d*)?|\.\d+)(s|ms)?$/.exec(String(value).trim());
  const milliseconds = match === null ? 0 : Number(match[1]) * (units[match[2] ?? ""] as number);
  if (milliseconds > 0) return milliseconds;
  throw refuse("timeout", value, 'more than 0 seconds, or a number with a unit: 60, "1.5", "500ms"');
}

function toRate(value: Size, name: string): number {
  const bits = parseSize(value, name);
  // Less than a byte per second would be no limit at all.
  return bits === 0n ? -1 : Math.max(1, Number(bits / 8n));
}

function toBoolean<K extends string>(options: { readonly [key in K]?: unknown }, name: K, fallback: boolean): boolean {
  const value = options[name] ?? fallback;
  if (typeof value === "boolean") return value;
  throw refuse(name, value, "true or false");
}

function toInteger(value: number, name: string, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw refuse(name, value, `a whole number from ${least} to ${most}`);
}

function toAddress(value: string | undefined, name: string): string | undefined {
  if (value === undefined || isIP(value) !== 0) return value;
  throw refuse(name, value, "an IP address of this machine");
}

function toAddresses(value: readonly string[] | false, name: string, form: RegExp): readonly string[] | false {
  if (value === false) return false;
  const wrong = Array.isArray(value) ? value.find((each) => typeof each !== "string" || !form.test(each)) : value;
  if (wrong === undefined) return value;
  throw refuse(name, wrong, "a list of addresses, or false");
}

function toPeers(value: readonly string[], name: string): readonly string[] {
  const wrong = Array.isArray(value) ? value.find((each) => typeof each !== "string" || !/^.+:\d{1,5}$/.test(each)) : value;
  if (wrong === undefined) return value;
  throw refuse(name, wrong, "a list of host:port");
}

function refuse(name: string, value: unknown, expected: string): DiskError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new DiskError("EINVAL", `option ${name}: ${shown}: expected ${expected}`);
}
