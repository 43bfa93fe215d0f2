// Random operations on memory disks against a plain array of bytes, and on sparse ones against a list of what is allocated too.

import fc from "fast-check";
import { expect, test } from "vitest";
import { writeFlags, zeroFlags } from "../../../src/contract/flags.ts";
import { type Disk, memory, openDisk } from "../../../src/index.ts";

const PAGE = 32768;
/** How much of the disk the operations are on. */
const WINDOW = 10 * PAGE + 1000;

type State = "hole" | "zero" | "data";

/** What a disk should hold: the bytes, and the state of each page. */
class Model {
  readonly bytes: Uint8Array = new Uint8Array(WINDOW);
  readonly pages: State[];
  /** Where in its page the window starts. */
  readonly #shift: number;
  /** Where in the window the disk ends, if it does. */
  readonly #end: number;

  constructor(base: bigint, size: bigint) {
    this.#end = Number(size - base);
    this.#shift = Number(base % BigInt(PAGE));
    this.pages = Array.from({ length: Math.ceil((this.#shift + WINDOW) / PAGE) }, () => "hole");
  }

  write(at: number, source: Uint8Array): void {
    this.bytes.set(source, at);
    for (const page of this.#touched(at, source.length)) this.pages[page] = "data";
  }

  zero(at: number, length: number, noHole: boolean): void {
    this.bytes.fill(0, at, at + length);
    for (const page of this.#touched(at, length)) {
      const start = page * PAGE - this.#shift;
      const whole = at <= start && Math.min(start + PAGE, this.#end) <= at + length;
      if (noHole) {
        if (whole || this.pages[page] === "hole") this.pages[page] = "zero";
      } else if (whole || (this.pages[page] === "data" && this.bytes.subarray(...this.range(page)).every((byte) => byte === 0))) {
        this.pages[page] = "hole";
      }
    }
  }

  /** The part of the window that a page is. */
  range(page: number): [start: number, end: number] {
    return [Math.max(0, page * PAGE - this.#shift), Math.min(WINDOW, (page + 1) * PAGE - this.#shift)];
  }

  #touched(at: number, length: number): number[] {
    const first = Math.floor((at + this.#shift) / PAGE);
    const last = Math.floor((at + length - 1 + this.#shift) / PAGE);
    return length === 0 ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }
}

// Edges of pages and of the window are where errors live.
const place = fc.oneof(
  fc.nat({ max: WINDOW }),
  fc.tuple(fc.nat({ max: 10 }), fc.integer({ min: -2, max: 2 })).map(([page, by]) => Math.min(WINDOW, Math.max(0, page * PAGE + by))),
  fc.constant(WINDOW),
);
const operation = fc.record({
  kind: fc.constantFrom("write", "read", "views", "trim", "zero", "keep"),
  places: fc.tuple(place, place).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
  // A zero among them: a page of written zeroes is data like any other.
  byte: fc.constantFrom(0, 1, 2, 255),
});

async function check(
  disk: Disk,
  base: bigint,
  operations: readonly (typeof operation extends fc.Arbitrary<infer T> ? T : never)[],
  pages: boolean,
): Promise<void> {
  const model = new Model(base, disk.size);
  for (const { kind, places, byte } of operations) {
    const [at, end] = places;
    const length = end - at;
    const offset = base + BigInt(at);
    if (kind === "write") {
      const source = new Uint8Array(length).fill(byte);
      await disk.write(source, offset, writeFlags(byte === 1));
      model.write(at, source);
    } else if (kind === "trim") {
      await disk.trim(offset, BigInt(length));
      model.zero(at, length, false);
    } else if (kind === "zero" || kind === "keep") {
      await disk.zero(offset, BigInt(length), zeroFlags(false, kind === "keep", byte === 2));
      model.zero(at, length, kind === "keep");
    } else {
      const target = Buffer.alloc(length, 0xee);
      if (kind === "read") await disk.read(target, offset);
      else Buffer.concat(disk.views?.(offset, length) ?? []).copy(target);
      expect(target.equals(model.bytes.subarray(at, end))).toBe(true);
    }
  }
  const all = Buffer.alloc(WINDOW, 0xee);
  await disk.read(all, base);
  expect(all.equals(model.bytes)).toBe(true);
  if (pages) expect(await states(disk, base, model)).toEqual(model.pages);
}

/** The state of each page as the disk's extents tell it. */
async function states(disk: Disk, base: bigint, model: Model): Promise<(State | undefined)[]> {
  const extents = await disk.extents(base, BigInt(WINDOW));
  return model.pages.map((_, page) => {
    const [start, end] = model.range(page);
    const extent = extents.find((e) => e.offset <= base + BigInt(start) && base + BigInt(end) <= e.offset + e.length);
    return extent && (extent.hole ? "hole" : extent.zero ? "zero" : "data");
  });
}

test.each<[string, bigint, bigint]>([
  ["at the start of a disk that ends within a page", BigInt(WINDOW), 0n],
  ["across 2^53 bytes", 2n ** 60n, 2n ** 53n - 5n * BigInt(PAGE)],
  ["at the end of the largest disk", 2n ** 63n - 1n, 2n ** 63n - 1n - BigInt(WINDOW)],
])("a sparse disk behaves as an array of bytes does, %s", async (_, size, base) => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      await using disk = await openDisk(memory(size));
      await check(disk, base, operations, true);
    }),
    { numRuns: 150 },
  );
});

test("a malloc disk behaves as an array of bytes does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      await using disk = await openDisk(memory(WINDOW, { allocator: "malloc" }));
      await check(disk, 0n, operations, false);
    }),
    { numRuns: 50 },
  );
});
