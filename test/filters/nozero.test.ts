// The nozero filter.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { connect, filter, type NozeroOptions, nozero, openDisk, pipe } from "../../src/index.ts";
import { type Call, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { served } from "../fixtures/served.ts";
import { command, expectBothRefuse, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const plain = { fua: true, noHole: false, fastZero: false };
const fast = { ...plain, fastZero: true };

/** What reaches the disk below when a range is zeroed, plainly and fast. */
async function reached(options: NozeroOptions): Promise<string[]> {
  const calls: Call[] = [];
  await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), nozero(options)));
  calls.length = 0;
  await disk.zero(0n, 100n, plain);
  try {
    await disk.zero(100n, 100n, fast);
  } catch (error) {
    return [...calls.map(String), String((error as { code: string }).code)];
  }
  return calls.map(String);
}

describe("nozero", () => {
  describe("none", () => {
    testFilter({ test, routes: ["directly", "over a socket"], filter: () => nozero(), transparent: true, takesAway: ["zero", "fastZero"] });
  });

  describe("emulate", () => {
    testFilter({ test, routes: ["directly"], filter: () => nozero({ mode: "emulate" }), transparent: true });
  });

  it("none does not offer zeroing to clients, also through another filter", async () => {
    const { uri } = await served(
      "unix",
      pipe(
        ram(4096),
        nozero(),
        filter("over", () => ({})),
      ),
    );
    await using disk = await connect(uri);
    expect(disk.capabilities).toMatchObject({ zero: false, fastZero: false, write: true, trim: true });
    await disk.zero(0n, disk.size);
  });

  it.each<[NozeroOptions, string[]]>([
    [{}, ["below: write 100 at 0, fua", "ENOTSUP"]],
    [{ mode: "emulate" }, ["below: write 100 at 0, fua", "ENOTSUP"]],
    [{ mode: "emulate", fastMode: "ignore" }, ["below: write 100 at 0, fua", "below: write 100 at 100, fua"]],
    [{ mode: "emulate", fastMode: "slow" }, ["below: write 100 at 0, fua", "ENOTSUP"]],
    [{ mode: "notrim" }, ["below: zero 100 at 0, fua, noHole", "below: zero 100 at 100, fua, noHole, fastZero"]],
    [{ mode: "plugin" }, ["below: zero 100 at 0, fua", "below: zero 100 at 100, fua, fastZero"]],
    [{ mode: "plugin", fastMode: "none" }, ["below: zero 100 at 0, fua", "ENOTSUP"]],
    [{ mode: "plugin", fastMode: "slow" }, ["below: zero 100 at 0, fua", "ENOTSUP"]],
    [{ mode: "notrim", fastMode: "ignore" }, ["below: zero 100 at 0, fua, noHole", "below: zero 100 at 100, fua, noHole"]],
  ])("%j", async (options, expected) => {
    expect(await reached(options)).toEqual(expected);
  });

  it("refuses a disk without zeroing where that is to be used", async () => {
    const without = filter("without", () => ({ zero: undefined }));
    for (const mode of ["notrim", "plugin"] as const)
      await expect(openDisk(pipe(ram(4096), without, nozero({ mode })))).rejects.toThrow(
        `nozero cannot do with mode ${mode}: the disk below has no zeroing`,
      );
  });

  it("leaves a read-only disk as it is, and what is lent", async () => {
    await using disk = await openDisk(pipe(ram(Buffer.from("x"), { readonly: true }), nozero({ mode: "plugin" })));
    expect(disk.capabilities.write).toBe(false);
    expect(disk.views?.(0n, 1)).toEqual([Uint8Array.of(0x78)]);
  });

  it("refuses other modes", () => {
    expect(() => nozero({ mode: "some" as never })).toThrow('mode "some": expected none, emulate, notrim, plugin');
    expect(() => nozero({ fastMode: "some" as never })).toThrow('fastMode "some": expected none, slow, ignore, default');
  });
});

describeWith(["nbdkit", "nbdinfo"], "nozero and nbdkit's", () => {
  async function offered(who: Who, keys: readonly string[]): Promise<string> {
    const out = join(tree(), "out");
    await command(who, ["-U", "-", "--filter=nozero", "memory", "1M", ...keys, "--run", `nbdinfo "$uri" | grep zero > ${out}`]);
    return readFileSync(out, "utf8");
  }

  it.each([
    [[]],
    [["fastzeromode=slow"]],
    ...["emulate", "notrim", "plugin"].flatMap((mode) =>
      ["none", "slow", "ignore", "default"].map((fastMode) => [[`zeromode=${mode}`, `fastzeromode=${fastMode}`]]),
    ),
  ])("offer the same: %j", async (keys) => {
    expect(await offered("diskwright", keys)).toBe(await offered("nbdkit", keys));
  });

  it("refuse other modes", async () => {
    await expectBothRefuse(["--filter=nozero", "memory", "1M", "zeromode=some"]);
    await expectBothRefuse(["--filter=nozero", "memory", "1M", "fastzeromode=some"]);
  });
});
