// Putting an expression's content into the store of a memory disk: holes stay holes, and no more memory is taken than there is.

import { totalmem } from "node:os";
import { isPromise } from "../../contract/awaitable.ts";
import { DiskError } from "../../contract/error.ts";
import { zeroFlags } from "../../contract/flags.ts";
import type { MemoryStore } from "../memory/allocator.ts";
import { type Content, stretches } from "./content.ts";

/** As the sparse store has it: what is put into a page is written at once. */
const PAGE = 32 * 1024;
const ALLOCATED_ZEROES = zeroFlags(false, true, false);
/** Bytes after which others get their turn. */
const TURN = 64n * 1024n * 1024n;

/**
 * Fills a store.
 *
 * @throws DiskError ENOMEM when the content has more data than the machine could keep
 */
export async function fill(store: MemoryStore, content: Content, signal: AbortSignal, most: number = memoryForData()): Promise<void> {
  const tooMuch = (): DiskError =>
    new DiskError("ENOMEM", `the expression makes more data than there is memory for (${most} bytes); holes (@N, or size=) take none`);
  if (content.data > BigInt(most)) throw tooMuch();
  const page = Buffer.alloc(PAGE);
  /** Where the page starts, and up to where it has been filled; 0 when there is nothing in it but a hole. */
  let pageStart = 0n;
  let filled = 0;
  let taken = 0;
  let sinceTurn = 0n;

  const writePage = async (): Promise<void> => {
    if (filled === 0) return;
    const source = page.subarray(0, filled);
    const zero = page[0] === 0 && page.compare(page, 1, filled, 0, filled - 1) === 0;
    const done = zero ? store.zero(pageStart, BigInt(filled), ALLOCATED_ZEROES) : store.write(source, pageStart);
    if (isPromise(done)) await done;
    taken += PAGE;
    if (taken > most) throw tooMuch();
    page.fill(0);
    filled = 0;
  };

  let at = 0n;
  for (const { length, bytes, byte } of stretches(content)) {
    if (bytes === undefined && byte === undefined) {
      at += length;
      continue;
    }
    for (let done = 0n; done < length; ) {
      const start = at - (at % BigInt(PAGE));
      if (start !== pageStart) {
        await writePage();
        pageStart = start;
      }
      const from = Number(at - start);
      const count = length - done < BigInt(PAGE - from) ? Number(length - done) : PAGE - from;
      if (bytes !== undefined) page.set(bytes.subarray(Number(done), Number(done) + count), from);
      else page.fill(byte as number, from, from + count);
      filled = from + count;
      done += BigInt(count);
      at += BigInt(count);
      sinceTurn += BigInt(count);
      if (sinceTurn >= TURN) {
        sinceTurn = 0n;
        await new Promise<void>((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      }
    }
  }
  await writePage();
}

/** Three quarters of the memory that the machine, or our container, has. */
function memoryForData(): number {
  const constrained = process.constrainedMemory();
  return Math.floor((constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()) * 0.75);
}
