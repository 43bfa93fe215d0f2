// A part of the disk under test and the bytes that it is to hold: what the disk does is compared with what an array of bytes does.

import assert from "node:assert/strict";
import type { Disk, Extent } from "../contract/index.ts";
import { extentFlags, writeFlags, zeroFlags } from "../contract/index.ts";
import type { Random } from "./random.ts";

/** What the kit is told of a disk whose bytes are not those of a plain array. */
export interface AreaOptions {
  /** Every read gives other bytes. */
  readonly random?: boolean | undefined;
  /** What is written is thrown away. */
  readonly forgets?: boolean | undefined;
}

/** A range within an area: bytes from its start, and how many. */
export type Range = readonly [start: number, length: number];

/** Flags by name; what is not there is false. */
interface Flags {
  readonly fua?: boolean;
  readonly noHole?: boolean;
  readonly fastZero?: boolean;
}

/** A part of a disk. Its methods take places from its own start, do what they say to the disk, and compare. */
export class Area {
  /** Where it starts, in bytes of the disk. */
  readonly offset: bigint;
  /** How many bytes. */
  readonly length: number;
  /** The smallest request that the disk takes. */
  readonly step: number;
  /** What it is to hold. */
  readonly expected: Uint8Array;
  readonly #known: Uint8Array;
  readonly #disk: Disk;
  readonly #draw: Random;
  readonly #options: AreaOptions;

  private constructor(disk: Disk, offset: bigint, expected: Uint8Array, known: Uint8Array, draw: Random, options: AreaOptions) {
    this.offset = offset;
    this.length = expected.length;
    this.step = disk.blockSize?.minimum ?? 1;
    this.expected = expected;
    this.#known = known;
    this.#disk = disk;
    this.#draw = draw;
    this.#options = options;
  }

  /** The area as the disk holds it now, found out by reading it. */
  static async learn(disk: Disk, offset: bigint, length: number, draw: Random, options: AreaOptions): Promise<Area> {
    const area = new Area(disk, offset, new Uint8Array(length), new Uint8Array(length), draw, options);
    await area.relearn(0, length);
    return area;
  }

  /** The same bytes as another client sees them: what is written through one is expected of the other. */
  seenBy(disk: Disk): Area {
    return new Area(disk, this.offset, this.expected, this.#known, this.#draw, this.#options);
  }

  /** Ranges that a disk might get wrong: one block, the last, those that straddle sectors and pages, all of it. */
  edges(): Range[] {
    const { step, length } = this;
    const wanted: Range[] = [[0, length]];
    for (const at of [0, 512, 4096, 65536, length]) {
      for (const [start, bytes] of [
        [at, step],
        [at - step, step],
        [at - step, 2 * step],
        [at - step, 512 + 2 * step],
        [at + step, 4096],
        [at - 3 * step, 65536 + 5 * step],
      ] as const) {
        wanted.push([start, bytes]);
      }
    }
    const fits = wanted.filter(([start, bytes]) => start >= 0 && bytes > 0 && start + bytes <= length);
    return [...new Map(fits.map((range) => [range.join(), this.#aligned(range)])).values()];
  }

  /** A random range of at most `most` bytes. */
  anywhere(most: number): Range {
    const blocks = Math.floor(this.length / this.step);
    const start = this.#draw.below(blocks);
    const count = 1 + this.#draw.below(Math.min(blocks - start, Math.max(1, Math.floor(most / this.step))));
    return [start * this.step, count * this.step];
  }

  /** Reads and compares. */
  async read(start: number, length: number): Promise<void> {
    await this.#eachRequest(start, length, async (at, bytes) => {
      const target = new Uint8Array(bytes).fill(GARBAGE);
      await this.#disk.read(target, this.offset + BigInt(at));
      this.compare(target, at, "read");
    });
  }

  /** Reads all of it and compares. */
  async verify(): Promise<void> {
    await this.read(0, this.length);
  }

  /** Writes random bytes. */
  async write(start: number, length: number, { fua = false }: Flags = {}): Promise<void> {
    const source = this.#draw.bytes(length);
    await this.#eachRequest(start, length, async (at, bytes) => {
      await this.#disk.write(source.subarray(at - start, at - start + bytes), this.offset + BigInt(at), writeFlags(fua));
    });
    this.put(start, source);
  }

  /** Writes random bytes by way of the room that the disk lends for them, if it does. */
  async writeInRoom(start: number, length: number, { fua = false }: Flags = {}): Promise<boolean> {
    const offset = this.offset + BigInt(start);
    const room = this.#disk.room?.(offset, length);
    if (room === undefined) return false;
    assert.equal(room.length, length, `room of ${length} bytes at ${offset} has another length`);
    const bytes = this.#draw.bytes(length);
    room.set(bytes);
    await this.#disk.write(room, offset, writeFlags(fua));
    this.put(start, bytes);
    return true;
  }

  /** Zeroes. */
  async zero(start: number, length: number, { fua = false, noHole = false, fastZero = false }: Flags = {}): Promise<void> {
    await this.#disk.zero(this.offset + BigInt(start), BigInt(length), zeroFlags(fua, noHole, fastZero));
    this.put(start, new Uint8Array(length));
  }

  /** Trims: what is there afterwards is not known, unless the disk says that it is zeroes. */
  async trim(start: number, length: number, { fua = false }: Flags = {}): Promise<void> {
    await this.#disk.trim(this.offset + BigInt(start), BigInt(length), writeFlags(fua));
    if (this.#disk.capabilities.trimZeroes) this.put(start, new Uint8Array(length));
    else this.forget(start, length);
  }

  /** Brings near. */
  async cache(start: number, length: number): Promise<void> {
    await this.#disk.cache(this.offset + BigInt(start), BigInt(length));
  }

  /** What is lent, if anything, compared. */
  views(start: number, length: number): boolean {
    const views = this.#disk.views?.(this.offset + BigInt(start), length);
    if (views === undefined) return false;
    const lent = Buffer.concat(views);
    assert.equal(lent.length, length, `views of ${length} bytes at ${this.offset + BigInt(start)} add up to another length`);
    this.compare(lent, start, "views");
    return true;
  }

  /** Lists the extents of a range until its end, checks how they lie, and compares those of zeroes. */
  async extents(start: number, length: number, reqOne = false): Promise<void> {
    const end = this.offset + BigInt(start + length);
    for (let at = this.offset + BigInt(start); at < end; ) {
      const list = await this.#disk.extents(at, end - at, extentFlags(reqOne));
      if (reqOne) assert.equal(list.length, 1, `extents at ${at} with reqOne: expected one`);
      const next = checkExtents(list, at, end);
      for (const extent of list) if (extent.zero) this.#expectZeroes(extent);
      at = next;
    }
  }

  /** Compares bytes that came from the disk with those that are to be there. */
  compare(actual: Uint8Array, start: number, what: string): void {
    const expected = this.expected.subarray(start, start + actual.length);
    if (Buffer.compare(actual, expected) === 0) return;
    const wrong = actual.findIndex((byte, i) => byte !== expected[i] && this.#known[start + i] === 1);
    if (wrong === -1) return;
    const first = this.offset + BigInt(start);
    const rest = actual.subarray(wrong);
    const alike = rest.length > 1 && rest.every((byte) => byte === rest[0]) ? " (as are all after it: was the buffer left unfilled?)" : "";
    assert.fail(
      `${what} of ${actual.length} bytes at ${first}: byte ${first + BigInt(wrong)} is ${hex(rest[0])}${alike}, expected ${hex(expected[wrong])}`,
    );
  }

  /** Takes note of what was written. */
  put(start: number, bytes: Uint8Array): void {
    if (this.#options.forgets) return;
    this.expected.set(bytes, start);
    if (!this.#options.random) this.#known.fill(1, start, start + bytes.length);
  }

  /** Expects nothing of a range any more. */
  forget(start: number, length: number): void {
    if (!this.#options.forgets) this.#known.fill(0, start, start + length);
  }

  /** Finds out what a range holds; from now on it is to go on holding that. */
  async relearn(start: number, length: number): Promise<void> {
    await this.#eachRequest(start, length, async (at, bytes) => {
      await this.#disk.read(this.expected.subarray(at, at + bytes), this.offset + BigInt(at));
    });
    if (!this.#options.random) this.#known.fill(1, start, start + length);
  }

  #expectZeroes({ offset, length }: Extent): void {
    const start = Number(offset - this.offset);
    if (Buffer.compare(this.expected.subarray(start, start + Number(length)), new Uint8Array(Number(length))) === 0) return;
    for (let i = start; i < start + Number(length); i += 1) {
      if (this.#known[i] === 1 && this.expected[i] !== 0) {
        assert.fail(
          `extents: ${length} bytes at ${offset} are said to be zeroes, but byte ${this.offset + BigInt(i)} is ${hex(this.expected[i])}`,
        );
      }
    }
  }

  #aligned([start, length]: Range): Range {
    const first = start - (start % this.step);
    const end = Math.min(this.length, Math.ceil((start + length) / this.step) * this.step);
    return [first, end - first];
  }

  /** In requests that are no longer than the disk takes. */
  async #eachRequest(start: number, length: number, request: (at: number, bytes: number) => Promise<void>): Promise<void> {
    const most = Math.min(this.#disk.blockSize?.maximum ?? MAX_REQUEST, MAX_REQUEST);
    for (let at = start; at < start + length; at += most) await request(at, Math.min(most, start + length - at));
  }
}

const GARBAGE = 0xa5;
const MAX_REQUEST = 32 * 1024 * 1024;

/** Checks that extents start at `at`, ascend without a gap and end at or before `end`; gives back where they end. */
export function checkExtents(list: readonly Extent[], at: bigint, end: bigint): bigint {
  let next = at;
  for (const { offset, length } of list) {
    assert.equal(offset, next, `extents: the next was to start at ${next}`);
    assert.ok(length > 0n, `extents: the one at ${offset} has ${length} bytes`);
    next += length;
  }
  assert.ok(next > at, `extents at ${at}: none`);
  assert.ok(next <= end, `extents end at ${next}, past the ${end} that was asked for`);
  return next;
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, "0")}`;
}
