// IP addresses as numbers, and ranges of them.

import { isIPv4, isIPv6 } from "node:net";

/** An address. One of IPv4 within IPv6 (`::ffff:192.0.2.1`), as sockets for both see it, is one of IPv4. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
  /** The interface that a link-local address belongs to. */
  readonly scope: string | undefined;
}

/** Addresses from the first to the last. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  /** Only on this interface. */
  readonly scope: string | undefined;
}

/** Reads an address; `undefined` when it is none. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: parseIPv4(text), scope: undefined };
  if (!isIPv6(text)) return undefined;
  const [plain = "", scope] = text.split("%");
  const value = parseIPv6(plain);
  return value >> 32n === MAPPED ? { family: 4, value: value & 0xffff_ffffn, scope: undefined } : { family: 6, value, scope };
}

/** What the upper bits of an IPv4 address within IPv6 are. */
const MAPPED = 0xffffn;

function parseIPv4(text: string): bigint {
  return text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIPv6(text: string): bigint {
  // An IPv4 address at the end stands for two groups.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const groupsOnly = dotted === null ? text : `${dotted[1]}${asGroups(parseIPv4(dotted[2] as string))}`;
  const [head = "", tail] = groupsOnly.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const before = groups(head);
  const after = groups(tail ?? "");
  const between = new Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill("0");
  return [...before, ...between, ...after].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function asGroups(value: bigint): string {
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

/** Reads an address, `ADDRESS/BITS` or `FIRST-LAST`; `undefined` when it is none of these. */
export function parseRange(text: string): AddressRange | undefined {
  const prefix = /^(.*)\/(\d{1,3})$/.exec(text);
  if (prefix !== null) return prefixRange(prefix[1] as string, Number(prefix[2]));
  const [first, last] = text.split("-").map(parseAddress);
  if (first === undefined || text.split("-").length > 2) return undefined;
  if (!text.includes("-")) return { family: first.family, first: first.value, last: first.value, scope: first.scope };
  if (last === undefined || last.family !== first.family || last.value < first.value || last.scope !== first.scope) return undefined;
  return { family: first.family, first: first.value, last: last.value, scope: first.scope };
}

function prefixRange(text: string, bits: number): AddressRange | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const { family, value, scope } = address;
  // The prefix of an IPv4 address that is written within IPv6 counts its 96 bits too.
  const own = family === 4 && text.includes(":") ? bits - 96 : bits;
  const width = family === 4 ? 32 : 128;
  if (own < 0 || own > width) return undefined;
  const rest = (1n << BigInt(width - own)) - 1n;
  return { family, first: value & ~rest, last: value | rest, scope };
}

/** Whether the address is one of the range. */
export function isWithin({ family, value, scope }: Address, range: AddressRange): boolean {
  if (family !== range.family || value < range.first || value > range.last) return false;
  return range.scope === undefined || range.scope === scope;
}
