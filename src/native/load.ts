// koffi, if it is installed: the part of it that is used here, so that types do not depend on a package that may be missing.

import { createRequire } from "node:module";

/** A function of a C library. */
export interface Call {
  (...parameters: unknown[]): unknown;
  /** The same on another thread; the last parameter is told the result. */
  async(...parameters: unknown[]): void;
}

/** What is used of koffi. */
export interface Koffi {
  load(path: null): { func(prototype: string): Call };
  sizeof(type: string): number;
  /** Where the bytes of a buffer are. */
  address(buffer: Uint8Array | BigUint64Array): bigint;
  /** That of the call that was just made, also in the callback of one on another thread. */
  errno(): number;
}

/** Throws when koffi is not installed. Synchronous, so that nobody has to wait for it at import. */
export function loadKoffi(): Koffi {
  return createRequire(import.meta.url)("koffi") as Koffi;
}
