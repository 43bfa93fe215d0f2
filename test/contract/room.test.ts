// Room: the place that a disk lends for the bytes of a write to be received in.

import { expect, test } from "vitest";
import { complete, completeOver, filter, openDisk, pipe } from "../../src/contract/index.ts";
import { over, pluginOf } from "./fixtures.ts";

const lending = (bytes: Uint8Array) => over(bytes, { room: (offset, length) => bytes.subarray(Number(offset), Number(offset) + length) });

test("a disk lends room, and a write of what was put there is a write", async () => {
  const bytes = new Uint8Array(64);
  const disk = complete(lending(bytes));
  const room = disk.room?.(8n, 4) as Uint8Array;
  room.set([1, 2, 3, 4]);
  await disk.write(room, 8n);
  const target = new Uint8Array(6);
  await disk.read(target, 7n);
  expect([...target]).toEqual([0, 1, 2, 3, 4, 0]);
});

test("room is lent only on the disk, and on one that can be written", async () => {
  const disk = complete(lending(new Uint8Array(64)));
  expect(() => disk.room?.(60n, 5)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
  const { write: _, ...readonly } = lending(new Uint8Array(64));
  expect(complete(readonly).room).toBeUndefined();
  await disk.close();
  expect(() => disk.room?.(0n, 1)).toThrow(expect.objectContaining({ code: "ESHUTDOWN" }));
});

test("a filter that leaves writing alone passes room on as the very same function, one that does not drops it", () => {
  const below = complete(lending(new Uint8Array(64)));
  expect(completeOver(below, { read: below.read }).room).toBe(below.room);
  expect(completeOver(below, { write: below.write }).room).toBeUndefined();
  expect(completeOver(below, { size: 32n }).room?.(0n, 32)).toHaveLength(32);
  expect(() => completeOver(below, { size: 32n }).room?.(0n, 33)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
});

test("a disk whose requests wait in a queue lends no room", async () => {
  await using disk = await openDisk(pluginOf(lending(new Uint8Array(64)), { concurrency: "plugin" }));
  expect(disk.room).toBeUndefined();
});

test("room survives a stack of filters that do not write", async () => {
  const bytes = new Uint8Array(64);
  const look = filter("look", (disk) => ({ read: (target, offset) => disk.read(target, offset) }));
  await using disk = await openDisk(pipe(pluginOf(lending(bytes)), look, look));
  expect(disk.room?.(3n, 5)?.byteOffset).toBe(3);
});
