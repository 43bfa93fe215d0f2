// What the memory plugin itself costs, without a server: `node bench/run.mjs memory`. Nanoseconds a call, the best of many batches, so that other
// programs on the machine hardly show; the bare copies that every disk has to make stand first.

import { type Disk, memory, openDisk } from "../src/index.ts";

const BATCH = 4096;
const BATCHES = 200;
const SIZE = 2 ** 30;

async function main(): Promise<void> {
  bare();
  for (const allocator of ["sparse", "malloc"] as const) {
    console.log(`\n${allocator}: a disk of 1 GiB`);
    await using disk = await openDisk(memory(SIZE, { allocator }));
    fill(disk);
    calls(disk);
    trimAll(disk);
  }
  console.log("\nsparse: 16,384 writes of 4 KiB, 64 MiB apart, on a disk of 1 TiB");
  await using disk = await openDisk(memory("1T"));
  const [rss, buffers] = used();
  const block = new Uint8Array(4096).fill(1);
  const spread = Array.from({ length: 16_384 }, (_, i) => BigInt(i) * 2n ** 26n);
  const started = performance.now();
  for (const offset of spread) void disk.write(block, offset);
  console.log(`  ${(performance.now() - started).toFixed(0)} ms, ${used()[0] - rss} MiB resident, ${used()[1] - buffers} MiB in buffers`);
  measure("read 4 KiB", spread.slice(0, BATCH), (offset) => disk.read(block, offset));
}

/** The copies alone. */
function bare(): void {
  console.log("a copy without any disk, in the processor's cache");
  const memory = new Uint8Array(2 ** 18);
  const block = new Uint8Array(4096);
  const offsets = places(4096, memory.length);
  measure("out, 4 KiB", offsets, (offset) => block.set(memory.subarray(Number(offset), Number(offset) + 4096)));
  measure("in, 4 KiB", offsets, (offset) => memory.set(block, Number(offset)));
}

function fill(disk: Disk): void {
  const block = new Uint8Array(2 ** 20).fill(7);
  const [rss] = used();
  const started = performance.now();
  let slowest = 0;
  for (let at = 0; at < SIZE; at += block.length) {
    const before = performance.now();
    void disk.write(block, BigInt(at));
    slowest = Math.max(slowest, performance.now() - before);
  }
  console.log(
    `  filling it: ${(performance.now() - started).toFixed(0)} ms, the slowest MiB ${slowest.toFixed(1)} ms, ${used()[0] - rss} MiB resident`,
  );
}

function calls(disk: Disk): void {
  const block = new Uint8Array(4096);
  const large = new Uint8Array(2 ** 16);
  const near = places(4096, 2 ** 18);
  const far = places(4096, SIZE);
  const far64 = places(2 ** 16, SIZE);
  const farMiB = places(2 ** 20, SIZE);
  measure("read 4 KiB, in the cache", near, (offset) => disk.read(block, offset));
  measure("write 4 KiB, in the cache", near, (offset) => disk.write(block, offset));
  measure("read 4 KiB, all over the disk", far, (offset) => disk.read(block, offset));
  measure("write 4 KiB, all over the disk", far, (offset) => disk.write(block, offset));
  measure("read 64 KiB", far64.slice(0, 256), (offset) => disk.read(large, offset));
  measure("views of 64 KiB", far64, (offset) => disk.views?.(offset, 2 ** 16));
  measure("views of 1 MiB", farMiB, (offset) => disk.views?.(offset, 2 ** 20));
  measure("extents of 64 KiB", far64, (offset) => disk.extents(offset, 65_536n));
  measure("extents of 1 MiB", farMiB, (offset) => disk.extents(offset, 1_048_576n));
}

function trimAll(disk: Disk): void {
  const started = performance.now();
  void disk.trim(0n, disk.size);
  const milliseconds = performance.now() - started;
  console.log(`  trimming all of it: ${milliseconds.toFixed(1)} ms, ${used()[0]} MiB resident afterwards`);
}

/** Places all over a disk that look random: the same ones in every run. */
function places(block: number, size: number): bigint[] {
  let state = 1;
  return Array.from({ length: BATCH }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return BigInt(Math.floor((state / 2 ** 32) * (size / block)) * block);
  });
}

function measure(name: string, offsets: readonly bigint[], call: (offset: bigint) => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < BATCHES; batch++) {
    const started = process.hrtime.bigint();
    for (const offset of offsets) call(offset);
    best = Math.min(best, Number(process.hrtime.bigint() - started) / offsets.length);
  }
  console.log(`  ${name.padEnd(32)} ${best.toFixed(0).padStart(6)} ns`);
}

/** MiB that the process has, and that are in buffers. The runner lets us collect garbage. */
function used(): [rss: number, buffers: number] {
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, arrayBuffers } = process.memoryUsage();
  return [Math.round(rss / 2 ** 20), Math.round(arrayBuffers / 2 ** 20)];
}

void main();
