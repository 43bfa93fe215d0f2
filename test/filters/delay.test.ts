// The delay filter.

import { describe, expect, it, test } from "vitest";
import { type DelayOptions, type Disk, delay, memory, openDisk, pipe } from "../../src/index.ts";
import { type Call, classRam, fakeClock, ram, recorded, testFilter } from "../../src/testing/index.ts";

type Kind = "read" | "write" | "trim" | "zero" | "extents" | "cache";

const requests: Readonly<Record<Kind, (disk: Disk) => unknown>> = {
  read: (disk) => disk.read(new Uint8Array(512), 0n),
  write: (disk) => disk.write(new Uint8Array(512), 0n),
  trim: (disk) => disk.trim(0n, 512n),
  zero: (disk) => disk.zero(0n, 512n),
  extents: (disk) => disk.extents(0n, 512n),
  cache: (disk) => disk.cache(0n, 512n),
};

const kinds = Object.keys(requests) as Kind[];
const fastZero = { fua: false, noHole: false, fastZero: true };

describe("delay", () => {
  describe("of nothing", () => {
    testFilter({ test, filter: () => delay(), transparent: true });
  });

  describe("of everything", () => {
    const least: DelayOptions = {
      read: "1us",
      write: "1us",
      trim: "1us",
      zero: "1us",
      extents: "1us",
      cache: "1us",
      open: "1us",
      close: "1us",
    };
    testFilter({ test, routes: ["directly"], filter: () => delay(least), transparent: true, takesAway: ["views"] });
  });

  it.each(kinds)("holds back: %s", async (kind) => {
    const clock = fakeClock();
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), delay({ [kind]: "40ms", clock })));
    calls.length = 0;
    const request = requests[kind](disk);
    await clock.asleep();
    await clock.advance(39.9);
    expect(calls).toEqual([]);
    await clock.advance(0.1);
    await request;
    expect(calls.map(({ operation }) => operation)).toEqual([kind]);
    for (const other of kinds) {
      if (other === kind) continue;
      await requests[other](disk);
    }
    expect(clock.sleepers).toBe(0);
  });

  it("has requests wait side by side", async () => {
    const clock = fakeClock();
    await using disk = await openDisk(pipe(ram(4096), delay({ read: 1, clock })));
    const reads = Promise.all([1, 2, 3].map(() => disk.read(new Uint8Array(1), 0n)));
    await clock.asleep(3);
    await clock.advance(1000);
    await reads;
    expect(clock.now()).toBe(1000);
  });

  it("holds zeroing back once, also where the disk below zeroes by writing", async () => {
    const clock = fakeClock();
    await using disk = await openDisk(pipe(classRam(new Uint8Array(3 * 1024 * 1024)), delay({ zero: 1, write: 5, clock })));
    const zeroing = disk.zero(0n, disk.size);
    await clock.asleep();
    await clock.advance(1000);
    await zeroing;
    expect(clock.now()).toBe(1000);
  });

  it("holds back opening and closing", async () => {
    const clock = fakeClock();
    const opening = openDisk(pipe(ram(4096), delay({ open: 2, close: 3, clock })));
    await clock.asleep();
    await clock.advance(2000);
    const closing = (await opening).close();
    await clock.asleep();
    await clock.advance(3000);
    await closing;
    expect(clock.now()).toBe(5000);
  });

  it("lets go of who waits when the client goes", async () => {
    const clock = fakeClock();
    const controller = new AbortController();
    await using disk = await openDisk(pipe(ram(4096), delay({ read: 60, clock })), { signal: controller.signal });
    const reading = disk.read(new Uint8Array(1), 0n);
    await clock.asleep();
    controller.abort(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
    expect(clock.sleepers).toBe(0);
  });

  it("lets go of who waits to open", async () => {
    const clock = fakeClock();
    const controller = new AbortController();
    const opening = openDisk(pipe(ram(4096), delay({ open: 60, clock })), { signal: controller.signal });
    await clock.asleep();
    controller.abort(new Error("gone"));
    await expect(opening).rejects.toThrow("gone");
  });

  it("closes after what waits has been answered", async () => {
    const clock = fakeClock();
    const disk = await openDisk(pipe(ram(4096), delay({ write: 1, clock })));
    const writing = disk.write(new Uint8Array([7]), 0n);
    const closing = disk.close();
    await clock.asleep();
    await clock.advance(1000);
    await Promise.all([writing, closing]);
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow("the disk is closed");
  });

  it("has fast zeroing wait as all zeroing does", async () => {
    const clock = fakeClock();
    await using disk = await openDisk(pipe(ram(4096), delay({ zero: 1, clock })));
    const zeroing = disk.zero(0n, 512n, fastZero);
    await clock.asleep();
    await clock.advance(1000);
    await zeroing;
  });

  it("refuses fast zeroing at once when it is to", async () => {
    const clock = fakeClock();
    for (const below of [ram(4096), classRam(new Uint8Array(4096))]) {
      await using disk = await openDisk(pipe(below, delay({ zero: 1, fastZero: false, clock })));
      expect(disk.capabilities.fastZero).toBe(true);
      expect(() => disk.zero(0n, 512n, fastZero)).toThrow(expect.objectContaining({ code: "ENOTSUP" }));
      const zeroing = disk.zero(0n, 512n);
      await clock.asleep();
      await clock.advance(1000);
      await zeroing;
    }
    expect(clock.sleepers).toBe(0);
  });

  it("takes fast zeroing as it comes where zeroing is not held back", async () => {
    await using disk = await openDisk(pipe(ram(4096), delay({ fastZero: false })));
    expect(disk.zero(0n, 512n, fastZero)).toBeUndefined();
  });

  it("leaves the operations that are not held back as they were", async () => {
    await using disk = await openDisk(pipe(memory(4096), delay({ write: 1 })));
    expect(disk.capabilities.views).toBe(true);
    expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
  });

  it.each([
    [{ read: "soon" }, 'read "soon": expected seconds'],
    [{ close: -1 }, "close -1: expected seconds"],
    [{ fastZero: "no" }, "fastZero no: expected true or false"],
  ])("refuses %j", (options, text) => expect(() => delay(options as never)).toThrow(text));
});
