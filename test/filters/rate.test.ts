// The rate filter.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type Disk, openDisk, pipe, type RateOptions, rate } from "../../src/index.ts";
import { type FakeClock, fakeClock, ram, testFilter } from "../../src/testing/index.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

/** A disk of 1 MiB behind the filter, and its time. */
async function limited(options: RateOptions): Promise<{ readonly disk: Disk; readonly clock: FakeClock }> {
  const clock = fakeClock();
  return { disk: await openDisk(pipe(ram(1024 * 1024), rate({ ...options, clock }))), clock };
}

/** How many milliseconds pass until all is answered, in steps of one. */
async function duration(clock: FakeClock, ...requests: readonly unknown[]): Promise<number> {
  const start = clock.now();
  let done = false;
  const all = Promise.all(requests).then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  while (!done) await clock.advance(1);
  await all;
  return clock.now() - start;
}

const bytes = (count: number): Uint8Array => new Uint8Array(count);

describe("rate", () => {
  describe("without a rate", () => {
    testFilter({ test, filter: () => rate(), transparent: true });
  });

  describe("that is never reached", () => {
    testFilter({
      test,
      routes: ["directly"],
      filter: () => rate({ rate: "1E", connectionRate: "1E" }),
      transparent: true,
      takesAway: ["views"],
    });
  });

  it("lets a burst through, then so many bits per second", async () => {
    const { disk, clock } = await limited({ rate: 8000 });
    expect(disk.read(bytes(2000), 0n)).toBeUndefined();
    expect(await duration(clock, disk.read(bytes(500), 0n))).toBe(500);
    await disk.close();
  });

  it("saves up while nobody reads, but for no longer than the burst", async () => {
    const { disk, clock } = await limited({ rate: 8000, burstiness: "1s" });
    expect(disk.read(bytes(1000), 0n)).toBeUndefined();
    await clock.advance(500);
    expect(disk.read(bytes(500), 0n)).toBeUndefined();
    await clock.advance(60_000);
    expect(await duration(clock, disk.read(bytes(1500), 0n))).toBe(500);
    await disk.close();
  });

  it("limits writes by themselves, and nothing else", async () => {
    const { disk, clock } = await limited({ rate: 8000, burstiness: 0 });
    expect(await duration(clock, disk.read(bytes(1000), 0n), disk.write(bytes(1000), 0n))).toBe(1000);
    expect(disk.zero(0n, disk.size)).toBeUndefined();
    expect(disk.trim(0n, disk.size)).toBeUndefined();
    expect(disk.cache(0n, disk.size)).toBeUndefined();
    await disk.close();
  });

  it("serves in the order of coming", async () => {
    const { disk, clock } = await limited({ rate: 8000, burstiness: 0 });
    const order: number[] = [];
    const read = (name: number, count: number): Promise<void> =>
      Promise.resolve(disk.read(bytes(count), 0n)).then(() => void order.push(name));
    expect(await duration(clock, read(1, 3000), read(2, 10), read(3, 1990))).toBe(5000);
    expect(order).toEqual([1, 2, 3]);
    await disk.close();
  });

  it("limits all clients together", async () => {
    const clock = fakeClock();
    const plugin = pipe(ram(4096), rate({ rate: 8000, burstiness: 0, clock }));
    const [one, two] = [await openDisk(plugin), await openDisk(plugin)];
    expect(await duration(clock, one.read(bytes(1000), 0n), two.read(bytes(1000), 0n))).toBe(2000);
    await one.close();
    await two.close();
  });

  it("limits each client", async () => {
    const clock = fakeClock();
    const plugin = pipe(ram(4096), rate({ connectionRate: 8000, burstiness: 0, clock }));
    const [one, two] = [await openDisk(plugin), await openDisk(plugin)];
    expect(await duration(clock, one.read(bytes(1000), 0n), two.read(bytes(1000), 0n))).toBe(1000);
    await one.close();
    await two.close();
  });

  it("limits each client and all together", async () => {
    const clock = fakeClock();
    const plugin = pipe(ram(4096), rate({ connectionRate: 16_000, rate: 8000, burstiness: 0, clock }));
    const [one, two] = [await openDisk(plugin), await openDisk(plugin)];
    expect(await duration(clock, one.read(bytes(1000), 0n), two.read(bytes(1000), 0n))).toBe(2000);
    await one.close();
    await two.close();
  });

  it("goes by a rate that changes, also for who waits", async () => {
    let now: number | undefined = 8000;
    const { disk, clock } = await limited({ rate: () => now, burstiness: 0 });
    const reading = duration(clock, disk.read(bytes(10_000), 0n));
    await clock.advance(1000);
    now = 80_000;
    const took = await reading;
    expect(took).toBeGreaterThanOrEqual(1800);
    expect(took).toBeLessThan(2500);
    now = undefined;
    expect(disk.read(bytes(10_000), 0n)).toBeUndefined();
    await disk.close();
  });

  it("fails the requests for which there is no rate", async () => {
    const { disk } = await limited({ rate: () => "fast" });
    expect(() => disk.read(bytes(1), 0n)).toThrow('rate "fast": expected bytes');
    await disk.close();
  });

  it("goes by a file, from when it is there, and by what stood there last", async () => {
    const rateFile = join(tree(), "rate");
    const { disk, clock } = await limited({ rate: "8000", rateFile, burstiness: 0 });
    expect(await duration(clock, disk.read(bytes(1000), 0n))).toBe(1000);
    writeFileSync(rateFile, "80000\n");
    await clock.advance(100);
    await disk.read(bytes(0), 0n);
    expect(await duration(clock, disk.read(bytes(1000), 0n))).toBe(100);
    rmSync(rateFile);
    await clock.advance(100);
    expect(await duration(clock, disk.read(bytes(1000), 0n))).toBe(100);
    await disk.close();
  });

  it("lets go of who waits when the client goes, and serves the others", async () => {
    const clock = fakeClock();
    const plugin = pipe(ram(4096), rate({ rate: 8000, burstiness: 0, clock }));
    const controller = new AbortController();
    const one = await openDisk(plugin, { signal: controller.signal });
    const two = await openDisk(plugin);
    const first = one.read(bytes(4000), 0n);
    const second = two.read(bytes(1000), 0n);
    await clock.asleep();
    controller.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect(await duration(clock, second)).toBeLessThanOrEqual(1500);
    await one.close();
    await two.close();
    expect(clock.sleepers).toBe(0);
  });

  it("does not sleep on for a client that has gone", async () => {
    const clock = fakeClock();
    const controller = new AbortController();
    await using disk = await openDisk(pipe(ram(4096), rate({ rate: 8, clock })), { signal: controller.signal });
    const reading = disk.read(bytes(4000), 0n);
    await clock.asleep();
    controller.abort(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
    expect(clock.sleepers).toBe(0);
  });

  it("lends no bytes, as those need not wait", async () => {
    const { disk } = await limited({ rate: 8000 });
    expect(disk.capabilities.views).toBe(false);
    await disk.close();
  });

  it.each([
    [{ rate: 0 }, "rate 0: expected at least 1 bit per second"],
    [{ connectionRate: "fast" }, 'connectionRate "fast": expected'],
    [{ rateFile: "" }, 'rateFile "": expected a path'],
    [{ rate: 1, burstiness: "long" }, 'burstiness "long": expected seconds'],
  ])("refuses %j", (options, text) => expect(() => rate(options as never)).toThrow(text));
});

describeWith(["nbdkit"], "rate, side by side with nbdkit", () => {
  it.each([["rate=0"], ["rate=x"], ["connection-rate=1.5M"]])("both refuse %s", async (key) => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const { code } = await command(who, ["-U", "-", "--filter=rate", "memory", "1M", key, "--run", "true"]);
      expect(code, who).toBe(1);
    }
  });
});
