// Reading as clients ask for it: large reads in pieces side by side, small ones that follow each other read ahead.

import type { Connection } from "diskwright";
import type { Mirrors } from "./mirrors.ts";
import type { Settings } from "./options.ts";
import { ReadAhead } from "./read-ahead.ts";

/** A read is cut into pieces of at least so many bytes. */
const PIECE = 1024 * 1024;

/** The `read` of a connection. */
export function reader(source: Mirrors, size: number, { connections, readAhead }: Settings): Connection["read"] {
  const direct = (target: Uint8Array, at: number): Promise<void> => {
    const pieces = Math.min(connections, Math.floor(target.length / PIECE));
    return pieces < 2 ? source.read(target, at, size) : inPieces(target, at, Math.ceil(target.length / pieces));
  };
  const inPieces = async (target: Uint8Array, at: number, length: number): Promise<void> => {
    const reads: Promise<void>[] = [];
    for (let from = 0; from < target.length; from += length) reads.push(source.read(target.subarray(from, from + length), at + from, size));
    // All of them, also when one fails: the target is not the caller's again before that.
    for (const result of await Promise.allSettled(reads)) if (result.status === "rejected") throw result.reason;
  };
  if (readAhead === 0) return (target, offset) => direct(target, Number(offset));
  const ahead = new ReadAhead({
    size,
    budget: readAhead,
    fetch: (target, at, progress) => source.read(target, at, size, 0, progress),
    direct,
  });
  return (target, offset) => ahead.read(target, Number(offset));
}
