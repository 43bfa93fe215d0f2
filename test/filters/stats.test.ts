// The stats filter.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { delay, openDisk, pipe, type Stats, stats } from "../../src/index.ts";
import { fail, fakeClock, faulty, ram, testFilter } from "../../src/testing/index.ts";
import { command, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024n * 1024n;

describe("stats", () => {
  testFilter({ test, filter: () => stats(), transparent: true });

  it("counts requests, their bytes and the time they take", async () => {
    const clock = fakeClock();
    const counted = stats({ clock });
    await using disk = await openDisk(pipe(ram(4096), delay({ read: "250ms", clock }), counted));
    const reading = disk.read(new Uint8Array(512), 0n);
    await clock.asleep();
    await clock.advance(1000);
    await reading;
    await disk.write(new Uint8Array(100), 0n);
    await disk.write(new Uint8Array(28), 0n);
    await disk.flush();
    const seen = counted.stats;
    expect(seen.milliseconds).toBe(1000);
    expect(seen.read).toEqual({ operations: 1, bytes: 512n, milliseconds: 250 });
    expect(seen.write).toEqual({ operations: 2, bytes: 128n, milliseconds: 0 });
    expect(seen.flush).toEqual({ operations: 1, bytes: 0n, milliseconds: 0 });
    expect(seen.trim.operations).toBe(0);
  });

  it("does not count what fails", async () => {
    const counted = stats();
    await using disk = await openDisk(pipe(ram(4096), faulty(fail("read", { nth: 1 })), counted));
    expect(() => disk.read(new Uint8Array(1), 0n)).toThrow("made on purpose");
    await disk.read(new Uint8Array(1), 0n);
    expect(counted.stats.read.operations).toBe(1);
  });

  it("counts what is lent as read", async () => {
    const counted = stats();
    await using disk = await openDisk(pipe(ram(4096), counted));
    disk.views?.(0n, 1000);
    expect(counted.stats.read).toMatchObject({ operations: 1, bytes: 1000n });
  });

  it("reports in nbdkit's words when the disk closes", async () => {
    const clock = fakeClock();
    const reports: [string, Stats][] = [];
    const disk = await openDisk(pipe(ram(Number(4n * MiB)), stats({ clock, to: (...report) => reports.push(report) })));
    for (let i = 0; i < 4; i += 1) await disk.read(new Uint8Array(512), BigInt(i) * 512n);
    for (let i = 0; i < 3; i += 1) await disk.read(new Uint8Array(1024 + i), BigInt(i) * 1024n);
    await disk.zero(MiB, 2n * MiB);
    await disk.flush();
    await clock.advance(2000);
    await disk.close();
    expect(reports).toHaveLength(1);
    expect(reports[0]?.[0]).toBe(
      [
        "total: 9 ops, 2.000000 s, 2.00 MiB, 1.00 MiB/s",
        "read: 7 ops, 0.000000 s, 5.00 KiB, (n/a)/s op, 2.50 KiB/s total",
        "  Request size and alignment breakdown:",
        "     9 bits: 57.1% (4 reqs, 2.00 KiB total)",
        "          9 bit aligned: 100.0% (4)",
        "         10 bit aligned:  50.0% (2)",
        "    10 bits: 42.9% (3 reqs, 3.00 KiB total)",
        "         10 bit aligned: 100.0% (3)",
        "         11 bit aligned:  66.7% (2)",
        "",
        "zero: 1 ops, 0.000000 s, 2.00 MiB, (n/a)/s op, 1.00 MiB/s total",
        "  Request size and alignment breakdown:",
        "    other sizes: 100.0% (1 reqs, 2.00 MiB total)",
        "",
        "flush: 1 ops, 0.000000 s, 0 bytes, (n/a)/s op, 0 bytes/s total",
        "",
      ].join("\n"),
    );
    expect(reports[0]?.[1].zero.bytes).toBe(2n * MiB);
  });

  it("lists the commonest sizes, and says what the others come to", async () => {
    let text = "";
    const disk = await openDisk(pipe(ram(65536), stats({ threshold: 50, to: (report) => (text = report) })));
    for (const [size, times] of [
      [1, 1],
      [2, 2],
      [4, 3],
      [8, 4],
    ] as const)
      for (let i = 0; i < times; i += 1) await disk.read(new Uint8Array(size), 0n);
    await disk.close();
    expect(text).toContain(
      "breakdown:\n     3 bits: 40.0% (4 reqs, 32 bytes total)\n     2 bits: 30.0% (3 reqs, 12 bytes total)\n    other sizes: 30.0% (3 reqs, 5 bytes total)\n\n",
    );
  });

  it("can leave sizes out", async () => {
    let text = "";
    const disk = await openDisk(pipe(ram(512), stats({ threshold: 0, to: (report) => (text = report) })));
    await disk.read(new Uint8Array(1), 0n);
    await disk.close();
    expect(text.split("\n")).toHaveLength(3);
  });

  it("replaces a file, or adds to it", async () => {
    const file = join(tree(), "stats");
    const count = (): number => readFileSync(file, "utf8").match(/^total: 0 ops/gm)?.length ?? 0;
    writeFileSync(file, "total: 0 ops, of before\n");
    await (await openDisk(pipe(ram(512), stats({ file })))).close();
    expect(count()).toBe(1);
    await (await openDisk(pipe(ram(512), stats({ file, append: true })))).close();
    expect(count()).toBe(2);
  });

  it("counts for all disks that it is laid over, and reports once", async () => {
    const reports: string[] = [];
    const counted = stats({ to: (report) => reports.push(report) });
    const [one, two] = [await openDisk(pipe(ram(512), counted)), await openDisk(pipe(ram(512), counted))];
    await one.read(new Uint8Array(1), 0n);
    await one.close();
    await two.read(new Uint8Array(1), 0n);
    expect(reports).toEqual([]);
    await two.close();
    expect(reports).toEqual([expect.stringMatching(/^total: 2 ops/)]);
  });

  it("does not start when its file cannot be made", async () => {
    await expect(openDisk(pipe(ram(512), stats({ file: "/nonexistent/stats" })))).rejects.toThrow("ENOENT");
  });

  it.each([
    [{ file: "" }, 'file "": expected a path'],
    [{ append: 1 }, "append 1: expected true or false"],
    [{ to: "console" }, "to console: expected a function"],
    [{ threshold: 101 }, "threshold 101: expected percent, from 0 to 100"],
    [{ threshold: Number.NaN }, "threshold NaN: expected percent"],
  ])("refuses %j", (options, text) => expect(() => stats(options as never)).toThrow(text));
});

describeWith(["nbdkit", "nbdsh"], "stats, side by side with nbdkit", () => {
  const python = `
import random
random.seed(1)
# Our server asks for the extents before it sends structured replies to large reads.
h.set_request_structured_replies(False)
h.connect_uri(uri)
for i in range(200):
    n=random.choice([512,1024,4096,4097,65536,100,3])
    o=random.choice([0,512,4096,65536,1048576,3,100])*random.randint(1,50)
    h.pread(n,o)
for i in range(40): h.pwrite(b"y"*random.choice([4096,65536]), 4096*random.randint(0,1000))
h.flush()
for i in range(3): h.zero(1<<20, i<<20)
h.trim(1<<29,0)
h.shutdown()
`;

  /** The report of one server, without times and what was computed of them. */
  async function reportOf(who: Who, ...keys: readonly string[]): Promise<string> {
    const root = tree({ "ops.py": python });
    const file = join(root, "stats");
    const run = `nbdsh -c "uri='$uri'" -c "exec(open('${root}/ops.py').read())"`;
    const { code, stderr } = await command(who, ["-U", "-", "--filter=stats", "memory", "1G", ...keys, `statsfile=${file}`, "--run", run], {
      env: { PATH: `/usr/bin:${process.env.PATH}` },
    });
    expect(code, stderr).toBe(0);
    return readFileSync(file, "utf8")
      .replace(/\d+\.\d{6} s/g, "TIME")
      .replace(/(\d+ bytes|[\d.]+ [KMG]iB|\(n\/a\))\/s/g, "RATE");
  }

  it.each([[[]], [["statsthreshold=0"]], [["statsthreshold=100"]], [["statsthreshold=60"]]])("the same report with %j", async (keys) => {
    const [theirs, ours] = [await reportOf("nbdkit", ...keys), await reportOf("diskwright", ...keys)];
    // nbdkit counts the bytes of all sizes for those that it does not list.
    const masked = (text: string): string => text.replace(/(other sizes: .* reqs, ).* total/g, "$1… total");
    expect(masked(ours)).toBe(masked(theirs));
    expect(ours).toMatch(/^total: 245 ops, TIME, 519.37 MiB, RATE\nread: 200 ops, TIME, 2.69 MiB, RATE op, RATE total\n/);
  });
});
