// A completed disk equals a plain array of bytes under random operations, whatever the author left out and however the connection answers.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Awaitable, Connection, Disk, Overrides, Traits } from "../../src/contract/index.ts";
import { complete, completeOver, DiskError, errorCode, extentFlags, writeFlags, zeroFlags } from "../../src/contract/index.ts";
import { Queue } from "../../src/contract/queue.ts";

const SIZE = 1500;

/** How the connection under test is made. */
interface Make {
  readonly has: { readonly [K in "flush" | "trim" | "zero" | "extents" | "cache" | "views"]: boolean };
  readonly fua: Traits["fua"] | undefined;
  readonly fastZero: boolean;
  readonly trimZeroes: boolean;
  /** What zero and trim refuse now and then. */
  readonly refuses: boolean;
  readonly answers: "at once" | "later" | "either";
  readonly queue: boolean;
  readonly maximum: number | undefined;
  readonly layers: "none" | "untouched" | "all" | "write alone";
}

const make: fc.Arbitrary<Make> = fc.record({
  has: fc.record({
    flush: fc.boolean(),
    trim: fc.boolean(),
    zero: fc.boolean(),
    extents: fc.boolean(),
    cache: fc.boolean(),
    views: fc.boolean(),
  }),
  fua: fc.constantFrom("none", "native", undefined),
  fastZero: fc.boolean(),
  trimZeroes: fc.boolean(),
  refuses: fc.boolean(),
  answers: fc.constantFrom("at once", "later", "either"),
  queue: fc.boolean(),
  maximum: fc.constantFrom(undefined, 512, 1024),
  layers: fc.constantFrom("none", "untouched", "all", "write alone"),
});

/** The disk under test: what an author wrote, over bytes of which those up to `stable` were flushed. */
class Bytes {
  readonly volatile = new Uint8Array(SIZE);
  readonly stable = new Uint8Array(SIZE);
  #calls = 0;
  #make: Make;

  constructor(how: Make) {
    this.#make = how;
  }

  connection(): Connection {
    const { has, fua, fastZero, trimZeroes, maximum } = this.#make;
    const { volatile } = this;
    const fill = (offset: bigint, length: bigint, flags: { fua: boolean }, byte: number): Awaitable<void> =>
      this.#answer(() => {
        if (this.#make.refuses && this.#calls % 3 === 0) throw new DiskError("ENOTSUP", "not now");
        volatile.fill(byte, Number(offset), Number(offset + length));
        this.#persist(Number(offset), Number(length), flags);
      });
    return {
      size: BigInt(SIZE),
      ...(maximum !== undefined && { blockSize: { minimum: 1, preferred: 512, maximum } }),
      traits: { fastZero, trimZeroes, ...(fua !== undefined && { fua }) },
      read: (target, offset) => this.#answer(() => target.set(volatile.subarray(Number(offset), Number(offset) + target.length))),
      write: (source, offset, flags) =>
        this.#answer(() => {
          volatile.set(source, Number(offset));
          this.#persist(Number(offset), source.length, flags);
        }),
      ...(has.flush && { flush: () => this.#answer(() => this.stable.set(volatile)) }),
      ...(has.trim && { trim: (offset, length, flags) => fill(offset, length, flags, trimZeroes ? 0 : 0x55) }),
      ...(has.zero && { zero: (offset, length, flags) => fill(offset, length, flags, 0) }),
      ...(has.extents && { extents: (offset, length) => this.#zeroes(Number(offset), Number(offset + length)) }),
      ...(has.cache && { cache: () => this.#answer(() => undefined) }),
      ...(has.views && { views: (offset, length) => [volatile.subarray(Number(offset), Number(offset) + length)] }),
    };
  }

  #persist(offset: number, length: number, { fua }: { fua: boolean }): void {
    if (fua && this.#make.fua !== "native") throw new Error("FUA reached a connection that did not say that it heeds it");
    if (fua) this.stable.set(this.volatile.subarray(offset, offset + length), offset);
  }

  #answer(work: () => void): Awaitable<void> {
    this.#calls += 1;
    const later = this.#make.answers === "later" || (this.#make.answers === "either" && this.#calls % 2 === 0);
    return later ? Promise.resolve().then(work) : work();
  }

  *#zeroes(start: number, end: number) {
    for (let at = start; at < end; at += 1) if (this.volatile[at] === 0) yield { offset: BigInt(at), length: 1n, hole: true, zero: true };
  }
}

/** Layers that are to change nothing. */
function layered(disk: Disk, layers: Make["layers"]): Disk {
  if (layers === "none") return disk;
  const { read, write, flush, trim, zero, extents, cache } = disk;
  const can = disk.capabilities;
  const all: Overrides = {
    read: (target, offset) => read(target, offset),
    write: (source, offset, flags) => write(source, offset, flags),
    ...(can.flush && { flush: () => flush() }),
    ...(can.trim && { trim: (offset, length, flags) => trim(offset, length, flags) }),
    ...(can.zero && { zero: (offset, length, flags) => zero(offset, length, flags) }),
    ...(can.extents && { extents: (offset, length, flags) => extents(offset, length, flags) }),
    ...(can.cache === "native" && { cache: (offset, length) => cache(offset, length) }),
  };
  const overrides = { untouched: {}, all, "write alone": { write: all.write } }[layers];
  return completeOver(disk, overrides, layers === "all" ? { queue: new Queue() } : {});
}

type Operation =
  | { readonly kind: "read" | "views" | "cache" | "extents"; readonly offset: number; readonly length: number; readonly reqOne: boolean }
  | {
      readonly kind: "write" | "trim" | "zero";
      readonly offset: number;
      readonly length: number;
      readonly byte: number;
      readonly fua: boolean;
      readonly noHole: boolean;
      readonly fast: boolean;
    }
  | { readonly kind: "flush" };

const place = { offset: fc.integer({ min: 0, max: SIZE + 5 }), length: fc.integer({ min: 0, max: SIZE }) };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constantFrom("read", "views", "cache", "extents"), ...place, reqOne: fc.boolean() }),
  fc.record({
    kind: fc.constantFrom("write", "trim", "zero"),
    ...place,
    byte: fc.integer({ min: 1, max: 255 }),
    fua: fc.boolean(),
    noHole: fc.boolean(),
    fast: fc.boolean(),
  }),
  fc.constant({ kind: "flush" } as const),
);

/** What the disk is to hold, as far as that is known: -1 where it was trimmed. */
class Model {
  readonly now = new Int16Array(SIZE);
  /** What must be on stable storage: -1 where nothing need be. */
  readonly stable = new Int16Array(SIZE);

  put(offset: number, length: number, byte: number, fua: boolean): void {
    this.now.fill(byte, offset, offset + length);
    // Until the next flush either the old or the new bytes may be there.
    this.stable.fill(fua ? byte : -1, offset, offset + length);
  }

  expect(actual: Uint8Array, offset: number, what: string): void {
    for (const [i, byte] of actual.entries()) {
      const known = this.now[offset + i];
      if (known !== -1 && known !== byte) throw new Error(`${what}: byte ${offset + i} is ${byte}, expected ${known}`);
    }
  }
}

async function apply(disk: Disk, model: Model, operation: Operation): Promise<void> {
  if (operation.kind === "flush") {
    await disk.flush();
    if (disk.capabilities.flush) model.stable.set(model.now);
    return;
  }
  const { kind, offset, length } = operation;
  const [at, bytes] = [BigInt(offset), BigInt(length)];
  try {
    switch (kind) {
      case "read": {
        const target = new Uint8Array(length).fill(0xee);
        await disk.read(target, at);
        model.expect(target, offset, "read");
        break;
      }
      case "views": {
        const views = disk.views?.(at, length);
        if (views === undefined) return;
        model.expect(Buffer.concat(views), offset, "views");
        break;
      }
      case "cache":
        await disk.cache(at, bytes);
        break;
      case "extents": {
        let next = at;
        for (const extent of await disk.extents(at, bytes, extentFlags(operation.reqOne))) {
          if (extent.offset !== next || extent.length <= 0n) throw new Error(`extents do not follow each other at ${next}`);
          next += extent.length;
          if (extent.zero) model.expect(new Uint8Array(Number(extent.length)), Number(extent.offset), "zero extent");
        }
        if (next > at + bytes || (bytes > 0n && next === at)) throw new Error(`extents end at ${next}`);
        break;
      }
      case "write":
        await disk.write(new Uint8Array(length).fill(operation.byte), at, writeFlags(operation.fua));
        model.put(offset, length, operation.byte, operation.fua);
        break;
      case "trim":
        await disk.trim(at, bytes, writeFlags(operation.fua));
        model.put(offset, length, disk.capabilities.trimZeroes ? 0 : -1, operation.fua);
        break;
      case "zero":
        await disk.zero(at, bytes, zeroFlags(operation.fua, operation.noHole, operation.fast));
        model.put(offset, length, 0, operation.fua);
        break;
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    expect([kind, errorCode(error)]).toEqual([kind, expectedRefusal(disk, operation, errorCode(error))]);
    return;
  }
  expect(offset + length, `${kind} past the end was served`).toBeLessThanOrEqual(SIZE);
}

/** The code with which the operation may be refused; `undefined` when it has to be done. */
function expectedRefusal(disk: Disk, operation: Exclude<Operation, { kind: "flush" }>, actual: string): string | undefined {
  const { kind, offset, length } = operation;
  const can = disk.capabilities;
  const writes = kind === "write" || kind === "zero";
  if ("fua" in operation && operation.fua && can.fua === "none") return "EINVAL";
  if (offset + length > SIZE) return writes ? "ENOSPC" : "EINVAL";
  if (kind === "trim" && (!can.trim || actual === "ENOTSUP")) return "ENOTSUP";
  // A disk that can zero fast may still refuse to now and then.
  if (kind === "zero" && operation.fast) return "ENOTSUP";
  return undefined;
}

describe("a completed disk is an array of bytes", () => {
  test("under random operations, one after the other", async () => {
    await fc.assert(
      fc.asyncProperty(make, fc.array(operation, { maxLength: 40 }), async (how, operations) => {
        const bytes = new Bytes(how);
        const disk = layered(complete(bytes.connection(), how.queue ? { queue: new Queue() } : {}), how.layers);
        const model = new Model();
        for (const operation of operations) {
          await apply(disk, model, operation);
          const lost = model.stable.findIndex((byte, i) => byte !== -1 && byte !== bytes.stable[i]);
          if (lost !== -1) throw new Error(`byte ${lost} is not on stable storage after ${JSON.stringify(operation)}`);
        }
        const all = new Uint8Array(SIZE);
        await disk.read(all, 0n);
        model.expect(all, 0, "the whole disk");
        await disk.close();
      }),
      { numRuns: 400 },
    );
  });

  test("under random operations at once on disjoint parts", async () => {
    const parts = 6;
    const part = SIZE / parts;
    const inPart = fc.array(
      fc.record({
        offset: fc.integer({ min: 0, max: part - 1 }),
        length: fc.integer({ min: 0, max: part }),
        byte: fc.integer({ min: 0, max: 255 }),
        fua: fc.boolean(),
      }),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(make, fc.array(inPart, { minLength: parts, maxLength: parts }), async (how, all) => {
        const bytes = new Bytes(how);
        const disk = layered(complete(bytes.connection(), how.queue ? { queue: new Queue() } : {}), how.layers);
        const expected = new Uint8Array(SIZE);
        await Promise.all(
          all.map(async (writes, index) => {
            for (const { offset, length, byte, fua } of writes) {
              const start = index * part + offset;
              const end = Math.min(start + length, (index + 1) * part);
              const flag = fua && disk.capabilities.fua !== "none";
              if (byte === 0) await disk.zero(BigInt(start), BigInt(end - start), zeroFlags(flag, false, false));
              else await disk.write(new Uint8Array(end - start).fill(byte), BigInt(start), writeFlags(flag));
              expected.fill(byte, start, end);
            }
          }),
        );
        const actual = new Uint8Array(SIZE);
        await disk.read(actual, 0n);
        expect(actual).toEqual(expected);
        await disk.close();
      }),
      { numRuns: 100 },
    );
  });
});
