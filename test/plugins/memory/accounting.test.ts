// What a sparse disk takes of the machine's memory, and what it gives back.

import { expect, test, vi } from "vitest";
import { memory, openDisk } from "../../../src/index.ts";
import { collect, inBuffers } from "./buffers.ts";

const MiB = 2 ** 20;
const PAGE = 32768n;

/** Waits until `measure` is at most `bytes`: memory is given back by other threads. */
async function shrinksTo(bytes: number, measure: () => number): Promise<void> {
  await vi.waitFor(() => expect(measure() / MiB).toBeLessThanOrEqual(bytes / MiB), { timeout: 5000, interval: 10 });
}

function resident(): number {
  collect();
  return process.memoryUsage().rss;
}

test("an empty disk of any size takes next to nothing", async () => {
  const before = inBuffers();
  await using disk = await openDisk(memory(2n ** 63n - 1n));
  await disk.read(new Uint8Array(100_000), 2n ** 62n);
  await disk.extents(0n, disk.size);
  await disk.trim(0n, disk.size);
  expect(inBuffers() - before).toBeLessThan(0.5 * MiB);
});

test("a terabyte with a thousand writes takes a thousand pages, most of which the machine never sees", async () => {
  const [buffers, rss] = [inBuffers(), resident()];
  await using disk = await openDisk(memory("1T"));
  const block = new Uint8Array(4096).fill(7);
  for (let i = 0n; i < 1024n; i++) await disk.write(block, i * 2n ** 30n);
  // 1024 pages of 32 KiB, and as much again set aside for the next.
  expect((inBuffers() - buffers) / MiB).toBeLessThan(2 * 32 + 4);
  // 4 MiB were written.
  expect((resident() - rss) / MiB).toBeLessThan(32);
});

test("what is trimmed goes back to the machine", async () => {
  const block = new Uint8Array(MiB).fill(7);
  const [buffers, rss] = [inBuffers(), resident()];
  await using disk = await openDisk(memory("1G"));
  for (let i = 0n; i < 256n; i++) await disk.write(block, i * BigInt(MiB));
  expect((inBuffers() - buffers) / MiB).toBeGreaterThanOrEqual(256);
  expect((resident() - rss) / MiB).toBeGreaterThan(200);
  for (let i = 0n; i < 128n; i++) await disk.trim(i * BigInt(MiB), BigInt(MiB));
  await shrinksTo(buffers + (128 + 32 + 1) * MiB, inBuffers);
  await disk.zero(128n * BigInt(MiB), 128n * BigInt(MiB));
  await shrinksTo(buffers + MiB, inBuffers);
  // glibc maps slabs of 32 MiB one by one; other allocators may keep what is freed.
  if (process.platform === "linux") await shrinksTo(rss + 100 * MiB, resident);
});

test("what is trimmed goes back without anyone calling for the garbage collector", async () => {
  const before = inBuffers();
  await using disk = await openDisk(memory("1G"));
  await disk.write(new Uint8Array(256 * MiB).fill(7), 0n);
  await disk.trim(0n, disk.size);
  // The untouched buffer of 128 MiB that makes V8 look may be counted still, but takes no memory; the disk's 256 MiB are gone.
  await shrinksTo(before + (128 + 64) * MiB, () => process.memoryUsage().arrayBuffers);
});

test("few pages that live on keep little memory, and their content", async () => {
  const before = inBuffers();
  await using disk = await openDisk(memory("1G"));
  const pages = 8192n;
  for (let page = 0n; page < pages; page++) await disk.write(new Uint8Array(32768).fill(Number(page % 251n)), page * PAGE);
  for (let page = 0n; page < pages; page++) if (page % 16n !== 0n) await disk.trim(page * PAGE, PAGE);
  // 16 MiB live; as much may be dead, and a slab of 32 MiB is being filled.
  await shrinksTo(before + (2 * 16 + 2 * 32 + 1) * MiB, inBuffers);
  const target = new Uint8Array(32768);
  for (let page = 0n; page < pages; page += 16n) {
    await disk.read(target, page * PAGE);
    expect(target.every((byte) => byte === Number(page % 251n))).toBe(true);
  }
  expect((await disk.extents(0n, pages * PAGE)).length).toBe(1024);
});

test("the disk's memory goes with the plugin", async () => {
  const before = inBuffers();
  await (async () => {
    await using disk = await openDisk(memory("64M"));
    await disk.write(new Uint8Array(64 * MiB).fill(1), 0n);
    expect((inBuffers() - before) / MiB).toBeGreaterThanOrEqual(64);
  })();
  await shrinksTo(before + MiB, inBuffers);
});
