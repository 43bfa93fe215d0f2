// Memory disks under real clients and real partitioning tools, where their size or their holes are what matters.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { memory } from "../../../src/index.ts";
import { run, start } from "../../fixtures/run.ts";
import { served } from "../../fixtures/served.ts";
import { describeWith } from "../../fixtures/tools.ts";

const fuse = existsSync("/dev/fuse") ? ["fusermount3"] : ["/dev/fuse"];

describeWith(["nbdfuse", "sgdisk", ...fuse], "the largest disk that has whole sectors", () => {
  test("takes a partition table at both of its ends", async () => {
    const { uri } = await served("unix", memory(2n ** 63n - 512n));
    const file = await mounted(uri);
    await run("sgdisk", ["--clear", "--new=1:2048:+1G", "--new=2:0:0", "--change-name=2:the end", file]);
    // The table at the start is gone: what is found now is the copy in the last sectors.
    await run("dd", ["if=/dev/zero", `of=${file}`, "bs=512", "seek=1", "count=1", "conv=notrunc"]);
    const { stdout } = await run("sgdisk", ["--print", file], { status: "any" });
    expect(stdout).toMatch(/18014398509481983 sectors, 8\.0 EiB/);
    expect(stdout).toMatch(/^ +2 +2099200 +18014398509481949 +8\.0 EiB +8300 +the end$/m);
  });
});

describeWith(["nbdinfo", "nbdcopy", "qemu-img", "qemu-io"], "holes", () => {
  test("reach clients, and come back from them", async () => {
    const source = memory("64M");
    const target = memory("64M");
    const from = await served("unix", source);
    const to = await served("unix", target);
    await run("qemu-io", [
      "-f",
      "raw",
      "-c",
      "write -P 7 1M 100k",
      "-c",
      "write -z 8M 64k",
      "-c",
      "write -zu 16M 64k",
      "-c",
      "write -P 9 63M 1M",
      from.uri,
    ]);
    const map = [
      "0 1048576 3 hole,zero",
      "1048576 131072 0 data",
      "1179648 7208960 3 hole,zero",
      "8388608 65536 2 zero",
      "8454144 57606144 3 hole,zero",
      "66060288 1048576 0 data",
    ];
    expect(await mapOf(from.uri)).toEqual(map);
    await run("nbdcopy", [from.uri, to.uri]);
    await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", from.uri, to.uri]);
    // nbdcopy has no reason to allocate what is zero.
    expect((await mapOf(to.uri)).filter((line) => line.endsWith("data"))).toEqual([map[1], map[5]]);
  });
});

/** The allocation map as nbdinfo shows it. */
async function mapOf(uri: string): Promise<string[]> {
  const { stdout } = await run("nbdinfo", ["--map", uri]);
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).join(" "));
}

/** A file that is the disk, until the end of the test. */
async function mounted(uri: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "diskwright-test-"));
  const mountpoint = join(folder, "mounted");
  const pidfile = join(folder, "pid");
  mkdirSync(mountpoint);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { ended } = start("nbdfuse", ["--pidfile", pidfile, join(mountpoint, "disk"), uri]);
  onTestFinished(async () => {
    await run("fusermount3", ["-u", mountpoint]);
    await ended;
  });
  await vi.waitFor(() => expect(existsSync(pidfile)).toBe(true), { timeout: 10_000, interval: 10 });
  return join(mountpoint, "disk");
}
