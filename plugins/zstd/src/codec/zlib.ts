// zstd by way of Node, from 22.15 on: half as quick, but always there.

import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import type { Codec } from "./codec.ts";

interface Options {
  readonly params?: Readonly<Record<number, number>>;
  readonly chunkSize?: number;
  readonly maxOutputLength?: number;
}

/** What is used of Node's zstd; the types of Node 20 do not have it. */
interface NodeZstd {
  readonly zstdCompressSync: ((bytes: Uint8Array, options: Options) => Uint8Array) | undefined;
  zstdDecompressSync(bytes: Uint8Array, options: Options): Uint8Array;
  createZstdDecompress(options: Options): NodeJS.ReadWriteStream & AsyncIterable<Uint8Array>;
  readonly constants: Readonly<Record<"ZSTD_c_compressionLevel" | "ZSTD_d_windowLogMax", number>>;
}

/** The codec, where this Node has it. */
export function zlibCodec(): Codec | undefined {
  const zstd = zlib as unknown as NodeZstd;
  const { zstdCompressSync, constants } = zstd;
  if (zstdCompressSync === undefined) return undefined;
  return {
    name: "node:zlib",
    levels: [-131072, 22],
    bound: (length) => length + Math.ceil(length / 128) + 1024,
    pages: (level) => ({
      compress(page, target) {
        const frame = zstdCompressSync(page, { params: { [constants.ZSTD_c_compressionLevel]: level } });
        target.set(frame);
        return frame.length;
      },
      decompress: (frame, page) => page.set(zstd.zstdDecompressSync(frame, { maxOutputLength: page.length })),
    }),
    async *decompress(frame, windowLog) {
      const stream = zstd.createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: windowLog }, chunkSize: 256 * 1024 });
      const source = Readable.from(frame);
      source.on("error", (error) => (stream as unknown as Readable).destroy(error));
      source.pipe(stream);
      try {
        yield* stream;
      } finally {
        source.destroy();
        (stream as unknown as Readable).destroy();
      }
    },
  };
}
