// Small disks that the tests of the contract are made with.

import type { Connection, Plugin } from "../../src/contract/index.ts";

/** What an author would write over an array of bytes: read and write, and what a test adds or changes. */
export function over(bytes: Uint8Array, more: Partial<Connection> = {}): Connection {
  return {
    size: BigInt(bytes.length),
    read: (target, offset) => target.set(bytes.subarray(Number(offset), Number(offset) + target.length)),
    write: (source, offset) => bytes.set(source, Number(offset)),
    ...more,
  };
}

/** A plugin that opens what `open` makes. */
export function pluginOf(open: Plugin["open"] | Connection, more: Partial<Plugin> = {}): Plugin {
  return { name: "fixture", open: typeof open === "function" ? open : () => open, ...more };
}

/** `length` bytes that differ from their neighbours. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

/** Lets everything that waits for promises, and nothing else, go on. */
export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** What `call` throws, at once or later. */
export async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
