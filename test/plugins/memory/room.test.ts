// Room in a memory disk: large writes are received where they are to stay.

import { describe, expect, test } from "vitest";
import { openDisk } from "../../../src/contract/index.ts";
import { memory } from "../../../src/plugins/memory.ts";

const page = 32 * 1024;
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

async function contentOf(disk: Awaited<ReturnType<typeof openDisk>>, offset: bigint, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  await disk.read(target, offset);
  return target;
}

describe.each(["sparse", "malloc"] as const)("a %s disk", (allocator) => {
  test("lends what lies together in memory, and writing it back there changes just that range", async () => {
    await using disk = await openDisk(memory("1M", { allocator }));
    await disk.write(filled(8 * page, 1), 0n);
    const room = disk.room?.(100n, 3 * page) as Uint8Array;
    expect(room).toHaveLength(3 * page);
    room.fill(2);
    await disk.write(room, 100n);
    expect(await contentOf(disk, 0n, 100)).toEqual(filled(100, 1));
    expect(await contentOf(disk, 100n, 3 * page)).toEqual(filled(3 * page, 2));
    expect(await contentOf(disk, 100n + BigInt(3 * page), page)).toEqual(filled(page, 1));
  });
});

test("holes have no room: they take memory only once they are written", async () => {
  await using disk = await openDisk(memory("1M"));
  await disk.write(filled(page, 1), 0n);
  expect(disk.room?.(BigInt(page), page)).toBeUndefined();
  expect(disk.room?.(0n, 2 * page)).toBeUndefined();
});

test("pages that do not lie together are not lent, and are written all the same", async () => {
  await using disk = await openDisk(memory("1M"));
  await disk.write(filled(page, 2), BigInt(page));
  await disk.write(filled(page, 1), 0n);
  expect(disk.room?.(0n, 2 * page)).toBeUndefined();
  await disk.write(filled(2 * page, 3), 0n);
  expect(await contentOf(disk, 0n, 2 * page)).toEqual(filled(2 * page, 3));
});

test("a page that is trimmed while its room is filled is written where it belongs, and nowhere else", async () => {
  await using disk = await openDisk(memory("1M"));
  await disk.write(filled(4 * page, 1), 0n);
  const room = disk.room?.(0n, 2 * page) as Uint8Array;
  room.fill(2, 0, page);
  await disk.trim(0n, BigInt(2 * page));
  await disk.write(filled(page, 9), BigInt(8 * page));
  room.fill(2, page);
  await disk.write(room, 0n);
  expect(await contentOf(disk, 0n, 2 * page)).toEqual(filled(2 * page, 2));
  expect(await contentOf(disk, BigInt(2 * page), 2 * page)).toEqual(filled(2 * page, 1));
  expect(await contentOf(disk, BigInt(8 * page), page)).toEqual(filled(page, 9));
});
