// zstd by way of zstd-napi: contexts are kept and used again, and buffers are filled rather than made.

import type { CCtx, DCtx } from "zstd-napi/binding.js";
import type { Codec, PageCodec } from "./codec.ts";

/** Bytes that are decompressed in one go, one to two milliseconds; then others get a turn. */
const STEP = 1024 * 1024;

type Binding = typeof import("zstd-napi/binding.js");

/** Loads the binding. Throws when it is not there. */
export async function napiCodec(): Promise<Codec> {
  const module = (await import("zstd-napi/binding.js")) as { readonly default?: Binding } & Binding;
  const binding = module.default ?? module;
  return {
    name: "zstd-napi",
    levels: [binding.minCLevel(), binding.maxCLevel()],
    bound: (length) => binding.compressBound(length),
    pages: (level) => pages(binding, level),
    decompress: (frame, windowLog) => decompress(binding, frame, windowLog),
  };
}

function pages(binding: Binding, level: number): PageCodec {
  const compressing: CCtx = new binding.CCtx();
  const decompressing: DCtx = new binding.DCtx();
  compressing.setParameter(binding.CParameter.compressionLevel, level);
  return {
    compress: (page, target) => compressing.compress2(target, page),
    decompress(frame, page) {
      const length = decompressing.decompress(page, frame);
      if (length !== page.length) throw new Error(`a page of ${page.length} bytes was decompressed to ${length}`);
    },
  };
}

async function* decompress(binding: Binding, frame: AsyncIterable<Uint8Array>, windowLog: number): AsyncGenerator<Uint8Array> {
  const context = new binding.DCtx();
  context.setParameter(binding.DParameter.windowLogMax, windowLog);
  // What is given out is valid until more is asked for.
  const target = new Uint8Array(STEP);
  let wanted = 1;
  for await (const bytes of frame) {
    let at = 0;
    for (let full = false; at < bytes.length || full; ) {
      const [left, made, taken] = context.decompressStream(target, bytes.subarray(at));
      wanted = left;
      at += taken;
      full = made === target.length;
      if (made > 0) yield target.subarray(0, made);
      if (wanted === 0 && at < bytes.length) throw new Error("the frame ends before its bytes do");
    }
  }
  if (wanted !== 0) throw new Error("the frame does not end where its bytes do");
}
