// The nocache filter.

import { describe, expect, it, test } from "vitest";
import { nocache, openDisk, pipe } from "../../src/index.ts";
import { type Call, ram, recorded, testFilter } from "../../src/testing/index.ts";

describe("nocache", () => {
  describe.each(["none", "emulate", "nop"] as const)("%s", (mode) => {
    testFilter({
      test,
      routes: ["directly"],
      filter: () => nocache({ mode }),
      transparent: true,
      ...(mode === "none" && { takesAway: ["cache"] }),
    });
  });

  it("does not offer cache requests", async () => {
    await using disk = await openDisk(pipe(ram(4096), nocache()));
    expect(disk.capabilities.cache).toBe("none");
    expect(() => disk.cache(0n, 1n)).toThrow("cannot cache: the disk refuses to");
  });

  it.each([
    ["emulate", ["below: read 100 at 0"]],
    ["nop", []],
  ] as const)("%s", async (mode, expected) => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), nocache({ mode })));
    calls.length = 0;
    await disk.cache(0n, 100n);
    expect(calls.map(String)).toEqual(expected);
  });

  it("leaves everything else alone, at no cost", async () => {
    let below: unknown;
    await using disk = await openDisk(
      pipe(
        ram(4096),
        (next) => ({
          name: "peek",
          async open(request) {
            const opened = await next.open(request);
            below = opened.read;
            return opened;
          },
        }),
        nocache(),
      ),
    );
    expect(disk.read).toBe(below);
  });

  it("refuses other modes", () => {
    expect(() => nocache({ mode: "constructor" as never })).toThrow('mode "constructor": expected none, emulate, nop');
  });
});
