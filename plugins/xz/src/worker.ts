// A thread that decodes blocks, one after the other, as the pool sends them.

import { parentPort } from "node:worker_threads";
import { decodeBlock } from "./block.ts";
import { FormatError } from "./format/fields.ts";
import { CorruptError, Lzma2Decoder } from "./lzma2/decoder.ts";
import type { Answer, Job } from "./pool.ts";

/** A decoder that holds more memory than this is let go after its block; memory of WebAssembly only ever grows. */
const KEEP = 128 * 1024 * 1024;

let decoder: Lzma2Decoder | undefined;

parentPort?.on("message", (job: Job) => {
  const answer = work(job);
  parentPort?.postMessage(answer, "content" in answer ? [answer.content] : []);
});

function work(job: Job): Answer {
  const cancelled = new Int32Array(job.cancelled);
  const checkGoOn = (): void => {
    if (Atomics.load(cancelled, 0) !== 0) throw new FormatError("nobody waits for this block any more");
  };
  try {
    decoder ??= new Lzma2Decoder();
    const content = decodeBlock(decoder, job.block, job.facts, checkGoOn);
    return { content: content.slice().buffer };
  } catch (error) {
    const damaged = error instanceof FormatError || error instanceof CorruptError;
    return { message: error instanceof Error ? error.message : String(error), damaged };
  } finally {
    if (decoder !== undefined && decoder.held > KEEP) decoder = undefined;
  }
}
