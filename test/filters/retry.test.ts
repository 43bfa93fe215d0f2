// The retry filter.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { DiskError, type OpenRequest, openDisk, type Plugin, pipe, type RetryOptions, retry } from "../../src/index.ts";
import { type Call, classRam, type FakeClock, fail, fakeClock, faulty, hold, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

/** Retries without waiting. */
const atOnce: RetryOptions = { delay: 0 };

/** Lets time pass until the promise settles; the waits that there were, in milliseconds. */
async function waits(clock: FakeClock, work: unknown): Promise<number[]> {
  const seen: number[] = [];
  let done = false;
  const settled = Promise.resolve(work).then(
    () => (done = true),
    () => (done = true),
  );
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  while (!done) {
    const start = clock.now();
    while (!done && clock.sleepers > 0) await clock.advance(100);
    if (clock.now() > start) seen.push(clock.now() - start);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled;
  return seen;
}

describe("retry", () => {
  describe("over a disk that does not fail", () => {
    testFilter({ test, filter: () => retry(), transparent: true, hidesErrors: true });
  });

  it("opens the disk again, and makes the request again", async () => {
    const calls: Call[] = [];
    const bytes = Buffer.from("hello");
    await using disk = await openDisk(
      pipe(ram(bytes), faulty(fail("read", { nth: 1, times: 2 })), recorded("below", calls), retry(atOnce)),
    );
    const target = Buffer.alloc(5);
    await disk.read(target, 0n);
    expect(target.toString()).toBe("hello");
    expect(calls.map(({ operation }) => operation).slice(1)).toEqual(["open", "read", "close", "open", "read", "close", "open", "read"]);
  });

  it.each(["read", "write", "flush", "trim", "zero", "extents", "cache"] as const)("retries: %s", async (operation) => {
    await using disk = await openDisk(pipe(ram(4096), faulty(fail(operation, { nth: 1 })), retry(atOnce)));
    const requests = {
      read: () => disk.read(new Uint8Array(1), 0n),
      write: () => disk.write(new Uint8Array(1), 0n),
      flush: () => disk.flush(),
      trim: () => disk.trim(0n, 1n),
      zero: () => disk.zero(0n, 1n),
      extents: () => disk.extents(0n, 1n),
      cache: () => disk.cache(0n, 1n),
    };
    await requests[operation]();
    await requests[operation]();
  });

  it("waits longer each time, and gives up with the last error", async () => {
    const clock = fakeClock();
    await using disk = await openDisk(pipe(ram(512), faulty(fail("read", { code: "EPERM" })), retry({ clock })));
    const reading = Promise.resolve(disk.read(new Uint8Array(1), 0n));
    expect(await waits(clock, reading)).toEqual([62_000]);
    await expect(reading).rejects.toMatchObject({ code: "EPERM" });
    expect(clock.now()).toBe(2000 + 4000 + 8000 + 16_000 + 32_000);
  });

  it("can wait equally long each time", async () => {
    const clock = fakeClock();
    await using disk = await openDisk(
      pipe(ram(512), faulty(fail("read")), retry({ retries: 3, delay: "500ms", exponential: false, clock })),
    );
    const reading = Promise.resolve(disk.read(new Uint8Array(1), 0n));
    await waits(clock, reading);
    await expect(reading).rejects.toThrow("made on purpose");
    expect(clock.now()).toBe(1500);
  });

  it("does not retry where it is not to", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(512), faulty(fail("read")), recorded("below", calls), retry({ retries: 0 })));
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toThrow("made on purpose");
    expect(calls.filter(({ operation }) => operation === "read")).toHaveLength(1);
  });

  it("opens once for all requests that fail together", async () => {
    const calls: Call[] = [];
    const held = hold("read");
    const plugin = pipe(ram(4096), faulty(held, fail("read", { nth: 1, times: 3 })), recorded("below", calls), retry(atOnce));
    await using disk = await openDisk(plugin);
    void held.arrived.then(held.release);
    await Promise.all([0n, 1n, 2n].map((offset) => disk.read(new Uint8Array(1), offset)));
    expect(calls.filter(({ operation }) => operation === "open")).toHaveLength(2);
    expect(calls.filter(({ operation }) => operation === "read")).toHaveLength(6);
  });

  it("has requests that come meanwhile wait for the new disk", async () => {
    const clock = fakeClock();
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(4096), faulty(fail("read", { nth: 1 })), recorded("below", calls), retry({ clock })));
    const reading = disk.read(new Uint8Array(1), 0n);
    await clock.asleep();
    const writing = disk.write(new Uint8Array(1), 0n);
    expect(calls.map(({ operation }) => operation)).not.toContain("write");
    await clock.advance(2000);
    await Promise.all([reading, writing]);
    expect(calls.map(({ operation }) => operation).slice(1)).toEqual(["open", "read", "close", "open", "read", "write"]);
  });

  it("ends what hangs on the disk that failed, and makes it again", async () => {
    let opened = 0;
    const plugin: Plugin = {
      name: "half-dead",
      open({ signal }) {
        opened += 1;
        const broken = opened === 1;
        return {
          size: 512n,
          read: (target, offset) => {
            if (!broken) return void target.fill(7);
            if (offset === 0n) throw new Error("broken");
            return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
          },
        };
      },
    };
    await using disk = await openDisk(pipe(plugin, retry(atOnce)));
    const target = new Uint8Array(1);
    await Promise.all([disk.read(target, 1n), disk.read(new Uint8Array(1), 0n)]);
    expect(target[0]).toBe(7);
    expect(opened).toBe(2);
  });

  it("tries again when opening again fails", async () => {
    let opened = 0;
    const below = ram(512);
    const flaky: Plugin = {
      name: "flaky",
      open(request) {
        opened += 1;
        if (opened === 2 || opened === 3) throw new Error("nobody answers");
        return below.open(request);
      },
    };
    const clock = fakeClock();
    await using disk = await openDisk(pipe(flaky, faulty(fail("read", { nth: 1 })), retry({ clock })));
    const reading = disk.read(new Uint8Array(1), 0n);
    await waits(clock, reading);
    await reading;
    expect(opened).toBe(4);
    expect(clock.now()).toBe(2000 + 4000 + 8000);
  });

  it("tries again with the next request when it had to give up", async () => {
    let dead = false;
    const below = ram(512);
    const plugin: Plugin = {
      name: "dead",
      open(request) {
        if (dead) throw new DiskError("EIO", "nobody answers");
        return below.open(request);
      },
    };
    const faults = fail("read", { nth: 1 });
    await using disk = await openDisk(pipe(plugin, faulty(faults), retry({ ...atOnce, retries: 2 })));
    dead = true;
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toThrow("nobody answers");
    dead = false;
    await disk.read(new Uint8Array(1), 0n);
  });

  it("does not try the first opening again", async () => {
    let opened = 0;
    const plugin: Plugin = {
      name: "closed",
      open() {
        opened += 1;
        throw new Error("no such export");
      },
    };
    await expect(openDisk(pipe(plugin, retry(atOnce)))).rejects.toThrow("no such export");
    expect(opened).toBe(1);
  });

  it("refuses a disk that has come back with another size", async () => {
    let size = 512;
    const plugin: Plugin = { name: "shrinking", open: (request) => ram(size).open(request) };
    await using disk = await openDisk(pipe(plugin, faulty(fail("read", { nth: 1 })), retry({ ...atOnce, retries: 1 })));
    size = 100;
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toThrow("the disk has 100 bytes since it was opened again: it had 512");
  });

  it("takes that zeroing cannot be fast for an answer", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(512), faulty(fail("zero", { code: "ENOTSUP" })), recorded("below", calls), retry(atOnce)));
    await expect(disk.zero(0n, 512n, { fua: false, noHole: false, fastZero: true })).rejects.toMatchObject({ code: "ENOTSUP" });
    expect(calls.filter(({ operation }) => operation === "open")).toHaveLength(1);
  });

  it("refuses impossible requests at once", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(512, { readonly: true }), recorded("below", calls), retry()));
    expect(() => disk.read(new Uint8Array(1), 512n)).toThrow("not on the disk");
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow("read-only");
    expect(calls.filter(({ operation }) => operation === "open")).toHaveLength(1);
  });

  it("becomes read-only after a failure when it is to", async () => {
    const requests: OpenRequest[] = [];
    const below = ram(512);
    const plugin: Plugin = {
      name: "noted",
      open(request) {
        requests.push(request);
        return below.open(request);
      },
    };
    await using disk = await openDisk(pipe(plugin, faulty(fail("read", { nth: 1 })), retry({ ...atOnce, readonly: true })));
    await disk.write(new Uint8Array(1), 0n);
    await disk.read(new Uint8Array(1), 0n);
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "EPERM" }));
    expect(requests.map(({ readonly }) => readonly)).toEqual([false, true]);
  });

  it("lets go of who waits when the client goes", async () => {
    const clock = fakeClock();
    const controller = new AbortController();
    const plugin = pipe(ram(512), faulty(fail("read")), retry({ clock }));
    const disk = await openDisk(plugin, { signal: controller.signal });
    const reading = disk.read(new Uint8Array(1), 0n);
    await clock.asleep();
    controller.abort(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
    await disk.close();
    expect(clock.sleepers).toBe(0);
  });

  it("tells of writes that a failed disk may have lost, and of nothing else", async () => {
    const closes = { fail: true };
    const below = ram(4096);
    const plugin: Plugin = {
      name: "buffering",
      async open(request) {
        const connection = await below.open(request);
        return {
          ...connection,
          close() {
            if (closes.fail) throw new DiskError("EIO", "the buffer was not written");
          },
        };
      },
    };
    const faults = (): ReturnType<typeof fail> => fail("read", { nth: 1 });
    const clean = await openDisk(pipe(plugin, faulty(faults()), retry(atOnce)));
    await clean.read(new Uint8Array(1), 0n);
    closes.fail = false;
    await clean.close();
    closes.fail = true;
    const dirty = await openDisk(pipe(plugin, faulty(faults()), retry(atOnce)));
    await dirty.write(new Uint8Array(1), 0n);
    await dirty.read(new Uint8Array(1), 0n);
    expect(() => dirty.flush()).toThrow("the buffer was not written");
    await dirty.flush();
    closes.fail = false;
    await dirty.close();
  });

  it("answers at once when the disk does", async () => {
    await using disk = await openDisk(pipe(ram(4096), retry()));
    expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
    expect(disk.write(new Uint8Array(1), 0n)).toBeUndefined();
    expect(disk.views?.(0n, 10)).toHaveLength(1);
  });

  it("works over a class's disk", async () => {
    await using disk = await openDisk(pipe(classRam(new Uint8Array(512)), faulty(fail("write", { nth: 1 })), retry(atOnce)));
    await disk.zero(0n, 512n);
  });

  it.each([
    [{ retries: -1 }, "retries -1: expected a whole number from 0"],
    [{ retries: 1.5 }, "retries 1.5: expected a whole number"],
    [{ delay: "soon" }, 'delay "soon": expected seconds'],
    [{ exponential: "no" }, "exponential no: expected true or false"],
  ])("refuses %j", (options, text) => expect(() => retry(options as never)).toThrow(text));
});

describeWith(["nbdkit", "nbdsh"], "retry, side by side with nbdkit", () => {
  it.each([
    ["a read that fails once is made again on a disk that was opened again", 2, "0 1"],
    ["a read that always fails is made as often as it is to", 99, "1 0"],
  ])("%s", async (_what, failures, expected) => {
    const outcomes = await Promise.all(
      (["nbdkit", "diskwright"] as const).map(async (who) => {
        const root = tree();
        const [seen, result] = [join(root, "seen"), join(root, "result")];
        const pread = `echo pread >> ${seen}; if [ $(grep -c pread ${seen}) -lt ${failures} ]; then echo EPERM broken >&2; exit 1; fi; dd if=/dev/zero bs=$3 count=1 2>/dev/null`;
        const script = `nbdsh -u "$uri" -c "
try:
    h.pread(512, 0); r = '0 1'
except nbd.Error as e: r = '1 0'
open('${result}', 'w').write(r)"`;
        const keys = [
          "retries=1",
          "retry-delay=1",
          "get_size=echo 1048576",
          `open=echo open >> ${seen}`,
          `close=echo close >> ${seen}`,
          `pread=${pread}`,
        ];
        const { code, stderr } = await command(who, ["-U", "-", "--filter=retry", "eval", ...keys, "--run", script], {
          env: { PATH: `/usr/bin:${process.env.PATH}` },
        });
        expect(code, stderr).toBe(0);
        return { result: readFileSync(result, "utf8"), seen: readFileSync(seen, "utf8").trim().split("\n") };
      }),
    );
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[0]?.result).toBe(expected);
    expect(outcomes[0]?.seen.slice(0, 5)).toEqual(["open", "pread", "close", "open", "pread"]);
  });
});
