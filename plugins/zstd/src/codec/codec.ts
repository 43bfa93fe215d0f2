// What compresses and decompresses: zstd-napi, which is quick and keeps its contexts, or else Node's own zstd.

import { DiskError } from "diskwright";

/** Compresses and decompresses pages of one size. */
export interface PageCodec {
  /** Compresses a page into `target`, which has room for {@link Codec.bound} bytes; answers how many it took. */
  compress(page: Uint8Array, target: Uint8Array): number;
  /** Decompresses what `compress` made into a page, which it fills. */
  decompress(frame: Uint8Array, page: Uint8Array): void;
}

/** A way to zstd. */
export interface Codec {
  readonly name: "zstd-napi" | "node:zlib";
  /** The levels that it has. */
  readonly levels: readonly [least: number, most: number];
  /** The most bytes that so many may take when they are compressed. */
  bound(length: number): number;
  pages(level: number): PageCodec;
  /**
   * Decompresses the bytes of one frame as they are asked for. What is given out is valid until more is asked for.
   *
   * @param windowLog - frames that need more memory than 2 to the power of this are refused
   */
  decompress(frame: AsyncIterable<Uint8Array>, windowLog: number): AsyncIterable<Uint8Array>;
}

let loading: Promise<Codec> | undefined;

/**
 * Finds a codec.
 *
 * @throws DiskError ENOTSUP when there is none, and says what to do
 */
export function loadCodec(): Promise<Codec> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Codec> {
  const found = (await loadNapi()) ?? (await loadZlib());
  if (found !== undefined) return found;
  throw new DiskError(
    "ENOTSUP",
    `zstd is not to be had: the package zstd-napi is not installed, or could not be built, and Node ${process.versions.node} has no zstd of its own ` +
      "(Node 22.15 has): npm i zstd-napi",
  );
}

/** The codec of zstd-napi, if it is installed and could be built. */
export async function loadNapi(): Promise<Codec | undefined> {
  try {
    const { napiCodec } = await import("./napi.ts");
    return await napiCodec();
  } catch {
    // It is an optional dependency: why it cannot be loaded does not matter, as long as there is another.
    return undefined;
  }
}

/** The codec of Node, if it has one. */
export async function loadZlib(): Promise<Codec | undefined> {
  const { zlibCodec } = await import("./zlib.ts");
  return zlibCodec();
}
