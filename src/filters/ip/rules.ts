// Rules about who may connect, in nbdkit's grammar.

import { DiskError } from "../../contract/error.ts";
import type { Peer } from "../../contract/plugin.ts";
import { type Address, isWithin, parseAddress, parseRange } from "./address.ts";

/** What of a client the rules are about. */
export interface Client {
  readonly peer: Peer;
  /** Its address, if it has one that can be understood. */
  readonly address: Address | undefined;
}

/** Whether a rule is about a client; `undefined` where that cannot be found out. */
export type Rule = (client: Client) => boolean | undefined;

/** The client that a peer is. */
export function clientOf(peer: Peer): Client {
  return { peer, address: peer.address === undefined ? undefined : parseAddress(peer.address) };
}

/**
 * Reads a list of rules.
 *
 * @param name - of the list, for the error's text
 * @throws DiskError EINVAL for what is not understood
 */
export function parseRules(list: string | readonly string[] | undefined, name: string): readonly Rule[] {
  const lists = list === undefined ? [] : typeof list === "string" ? [list] : list;
  if (!Array.isArray(lists) || lists.some((entry) => typeof entry !== "string"))
    throw new DiskError("EINVAL", `${name} ${String(list)}: expected rules as text`);
  return (lists as readonly string[])
    .filter((entry) => entry !== "")
    .flatMap((entry) => entry.split(","))
    .map((text) => parseRule(text, name));
}

function parseRule(text: string, name: string): Rule {
  const word = words.get(text.toLowerCase());
  if (word !== undefined) return word;
  const number = /^(pid|uid|gid|vsock-cid|vsock-port):(.*)$/.exec(text);
  if (number !== null) return numberRule(number[1] as NumberKind, number[2] as string, text, name);
  if (/^(security|dn|issuer-dn):/.test(text))
    throw refuse(text, name, "security labels and certificates of clients are not known here, so nothing can be allowed or denied by them");
  const range = parseRange(text);
  if (range === undefined) {
    const known = "all, allipv4, allipv6, allunix, allvsock, pid:N, uid:N, gid:N, vsock-cid:N, vsock-port:N";
    throw refuse(
      text,
      name,
      text === "" ? "a rule is missing between commas" : `expected an address, ADDRESS/BITS, FIRST-LAST, or ${known}`,
    );
  }
  return ({ address, peer }) => (address === undefined ? unknownAddress(peer) : isWithin(address, range));
}

/** A client that came by IP and whose address cannot be understood may be anyone. */
function unknownAddress({ transport }: Peer): boolean | undefined {
  return transport === "tcp" ? undefined : false;
}

const any: Rule = () => true;
const ofFamily =
  (family: 4 | 6): Rule =>
  ({ address, peer }) =>
    address === undefined ? unknownAddress(peer) : address.family === family;
const unix: Rule = ({ peer }) => peer.transport === "unix";
// No client can come that way.
const vsock: Rule = () => false;

const words: ReadonlyMap<string, Rule> = new Map([
  ["all", any],
  ["any", any],
  ["allipv4", ofFamily(4)],
  ["anyipv4", ofFamily(4)],
  ["allipv6", ofFamily(6)],
  ["anyipv6", ofFamily(6)],
  ["allunix", unix],
  ["anyunix", unix],
  ["allvsock", vsock],
  ["anyvsock", vsock],
]);

type NumberKind = "pid" | "uid" | "gid" | "vsock-cid" | "vsock-port";

function numberRule(kind: NumberKind, digits: string, text: string, name: string): Rule {
  const value = Number(digits);
  const least = kind === "pid" ? 1 : 0;
  if (!/^\d+$/.test(digits) || value < least || value > 0xffffffff)
    throw refuse(text, name, `expected a number from ${least}, as in ${kind}:1000`);
  if (kind === "vsock-cid" || kind === "vsock-port") return vsock;
  return ({ peer }) => (peer.transport === "unix" ? peer.process && peer.process[kind] === value : false);
}

function refuse(text: string, name: string, why: string): DiskError {
  return new DiskError("EINVAL", `${name} ${JSON.stringify(text)}: ${why}`);
}
