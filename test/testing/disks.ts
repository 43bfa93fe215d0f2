// Disks that the tests of the kit are made with.

import type { Connection, Plugin } from "../../src/contract/index.ts";

/** `length` bytes that differ from their neighbours, with blocks of zeroes among them. */
export function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (Math.floor(i / 2048) % 3 === 1 ? 0 : (i * 7 + (i >> 8)) & 0xff));
}

/** What an author would write over an array of bytes: read and write, and what a test adds or changes. */
export function over(content: Uint8Array, more: Partial<Connection> = {}): Connection {
  return {
    size: BigInt(content.length),
    read: (target, offset) => target.set(content.subarray(Number(offset), Number(offset) + target.length)),
    write: (source, offset) => content.set(source, Number(offset)),
    ...more,
  };
}

/** A plugin that opens the same connection for each client. */
export function plugin(connection: Connection, more: Partial<Plugin> = {}): Plugin {
  return { name: "disk-under-test", open: () => ({ ...connection }), ...more };
}
