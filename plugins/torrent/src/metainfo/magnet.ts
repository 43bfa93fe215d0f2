// Magnet links and info hashes: BEP 9.

import { DiskError } from "diskwright";

/** What a link says. */
export interface Magnet {
  /** In hexadecimal, lower case. */
  readonly infoHash: string;
  readonly trackers: readonly string[];
  readonly webSeeds: readonly string[];
  /** `host:port` of peers. */
  readonly peers: readonly string[];
}

/** Whether a source is a magnet link, rather than the name of a file. */
export function isMagnet(source: string): boolean {
  return /^magnet:/i.test(source);
}

/** Whether a source is an info hash: 40 hexadecimal digits, or 32 of base 32. */
export function isInfoHash(source: string): boolean {
  return /^([0-9a-f]{40}|[a-z2-7]{32})$/i.test(source);
}

/**
 * Reads a magnet link or an info hash.
 *
 * @throws DiskError EINVAL when it is no link to a torrent
 */
export function parseMagnet(source: string): Magnet {
  if (isInfoHash(source)) return { infoHash: toHex(source), trackers: [], webSeeds: [], peers: [] };
  const parameters = new URLSearchParams(source.slice(source.indexOf("?") + 1));
  const topics = parameters.getAll("xt");
  const topic = topics.map((each) => /^urn:btih:(.*)$/i.exec(each)?.[1]).find((hash) => hash !== undefined);
  if (topic === undefined) {
    const version2 = topics.some((each) => /^urn:btmh:/i.test(each));
    throw refuse(
      source,
      version2 ? "it is of a version 2 torrent, which cannot be downloaded" : "it has no xt=urn:btih: with an info hash",
    );
  }
  if (!isInfoHash(topic)) throw refuse(source, `${JSON.stringify(topic.slice(0, 64))} is no info hash: expected 40 hexadecimal digits`);
  return {
    infoHash: toHex(topic),
    trackers: parameters.getAll("tr"),
    webSeeds: parameters.getAll("ws"),
    peers: parameters.getAll("x.pe"),
  };
}

function toHex(hash: string): string {
  if (hash.length === 40) return hash.toLowerCase();
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let value = 0n;
  for (const digit of hash.toLowerCase()) value = value * 32n + BigInt(alphabet.indexOf(digit));
  return value.toString(16).padStart(40, "0");
}

function refuse(link: string, why: string): DiskError {
  return new DiskError("EINVAL", `the magnet link ${JSON.stringify(link.slice(0, 80))} cannot be used: ${why}`);
}
