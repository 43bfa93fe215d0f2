// Files where koffi is not installed: everything works, by reading and writing.

import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type Extent, file, openDisk } from "../../../src/index.ts";
import { testPlugin } from "../../../src/testing/index.ts";
import { pattern } from "../../contract/fixtures.ts";
import { tree } from "../../fixtures/tree.ts";

vi.mock("../../../src/native/index.ts", () => ({ native: () => undefined }));

const MiB = 2 ** 20;
const PAGE = 4096;

describe("a sparse file without koffi", () => {
  const expected = { write: true, flush: true, multiConn: true, extents: true, trim: false, zero: false } as const;
  testPlugin({ test, factory: () => file(sparse(MiB)), persistent: true, expect: expected });
});

describe("a full file without koffi", () => {
  const content = pattern(1_000_001);
  testPlugin({ test, factory: () => file(written(content)), content, persistent: true });
});

test("zeroes are found by reading, and not called holes", async () => {
  const path = sparse(MiB);
  put(path, 8 * PAGE, Buffer.alloc(PAGE, 1));
  // A byte in the middle of a page makes all of it data.
  put(path, 20 * PAGE + 100, Buffer.from("x"));
  expect(await map(path)).toEqual(["zero 0+8", "data 8+1", "zero 9+11", "data 20+1", "zero 21+235"]);
});

test("a file that takes all its room is not searched: it is data", async () => {
  const path = written(new Uint8Array(MiB));
  expect(await map(path)).toEqual(["data 0+256"]);
});

test("a long search ends early, and goes on from there when asked again", async () => {
  const path = sparse(100 * MiB);
  await using disk = await openDisk(file(path));
  const extents = await disk.extents(0n, disk.size);
  expect(extents).toHaveLength(1);
  expect(extents[0]).toMatchObject({ offset: 0n, length: 32n * 2n ** 20n, zero: true });
  expect(await map(path)).toEqual(["zero 0+25600"]);
});

test("a range that begins and ends within pages is told to the byte", async () => {
  const path = sparse(MiB);
  put(path, PAGE, Buffer.alloc(PAGE, 1));
  await using disk = await openDisk(file(path));
  expect(await disk.extents(1000n, 5000n)).toMatchObject([
    { offset: 1000n, length: 3096n, zero: true },
    { offset: 4096n, length: 1904n, zero: false },
  ]);
  expect(await disk.extents(1000n, 5000n, { reqOne: true })).toHaveLength(1);
});

test("zeroing writes zeroes", async () => {
  const path = written(pattern(MiB));
  await using disk = await openDisk(file(path));
  await disk.zero(100n, 300_000n);
  const bytes = readFileSync(path);
  expect(bytes.subarray(100, 300_100).every((byte) => byte === 0)).toBe(true);
  expect(Buffer.compare(bytes.subarray(300_100), pattern(MiB).subarray(300_100))).toBe(0);
});

test.skipIf(!existsSync("/dev/shm"))("the last bytes that Node can address are written where they belong", async () => {
  // Only some file systems take such files.
  const path = join(tree({ disk: "" }, "/dev/shm"), "disk");
  truncateSync(path, 2 ** 53 - 1);
  await using disk = await openDisk(file(path));
  await disk.write(Buffer.from("end"), disk.size - 3n);
  const target = Buffer.alloc(3);
  await disk.read(target, disk.size - 3n);
  expect(target.toString()).toBe("end");
});

function sparse(size: number): string {
  const path = join(tree({ disk: "" }), "disk");
  truncateSync(path, size);
  return path;
}

function written(content: Uint8Array): string {
  const path = join(tree(), "disk");
  writeFileSync(path, content);
  return path;
}

function put(path: string, position: number, bytes: Uint8Array): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}

/** The whole map, in pages, asked for as often as it takes; neighbours of a kind as one. */
async function map(path: string): Promise<string[]> {
  await using disk = await openDisk(file(path));
  const found: { kind: string; offset: bigint; length: bigint }[] = [];
  for (let at = 0n; at < disk.size; ) {
    for (const { offset, length, hole, zero } of (await disk.extents(at, disk.size - at)) as Extent[]) {
      const kind = hole ? "hole" : zero ? "zero" : "data";
      const last = found.at(-1);
      if (last?.kind === kind) last.length += length;
      else found.push({ kind, offset, length });
      at = offset + length;
    }
  }
  return found.map(({ kind, offset, length }) => `${kind} ${offset / BigInt(PAGE)}+${length / BigInt(PAGE)}`);
}
