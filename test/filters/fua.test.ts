// The fua filter.

import { describe, expect, it, test } from "vitest";
import { type FuaMode, filter, fua, memory, openDisk, pipe } from "../../src/index.ts";
import { type Call, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { expectBothRefuse } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

/** What reaches the disk below a filter when everything is asked for once. */
async function reached(mode: FuaMode): Promise<string[]> {
  const calls: Call[] = [];
  await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), fua({ mode })));
  const on = { fua: disk.capabilities.fua !== "none" };
  calls.length = 0;
  await disk.write(new Uint8Array(1), 0n, on);
  await disk.write(new Uint8Array(1), 0n);
  await disk.trim(0n, 1n, on);
  await disk.zero(0n, 1n, { ...on, noHole: true, fastZero: true });
  await disk.flush();
  return calls.map((call) => String(call).replace("below: ", ""));
}

describe("fua", () => {
  describe.each(["none", "emulate", "native", "force", "pass"] as const)("%s", (mode) => {
    testFilter({
      test,
      routes: ["directly"],
      filter: () => fua({ mode }),
      transparent: true,
      ...(mode === "none" && { takesAway: ["fua"] }),
    });
  });

  it("none takes FUA away and leaves flushes", async () => {
    await using disk = await openDisk(pipe(memory("1M"), fua()));
    expect(disk.capabilities).toMatchObject({ fua: "none", flush: true });
    expect(() => disk.write(new Uint8Array(1), 0n, { fua: true })).toThrow("cannot write with FUA");
  });

  it("emulate flushes afterwards", async () => {
    expect(await reached("emulate")).toEqual([
      "write 1 at 0",
      "flush",
      "write 1 at 0",
      "trim 1 at 0",
      "flush",
      "zero 1 at 0, noHole, fastZero",
      "flush",
      "flush",
    ]);
  });

  it.each(["native", "pass"] as const)("%s passes everything on", async (mode) => {
    expect(await reached(mode)).toEqual([
      "write 1 at 0, fua",
      "write 1 at 0",
      "trim 1 at 0, fua",
      "zero 1 at 0, fua, noHole, fastZero",
      "flush",
    ]);
  });

  it("force puts FUA on everything, and does not flush", async () => {
    expect(await reached("force")).toEqual([
      "write 1 at 0, fua",
      "write 1 at 0, fua",
      "trim 1 at 0, fua",
      "zero 1 at 0, fua, noHole, fastZero",
    ]);
  });

  it("force keeps what is written over a power cut, without a flush", async () => {
    const below = ram(4096);
    await using disk = await openDisk(pipe(below, fua({ mode: "force" })));
    await disk.write(Buffer.from("kept"), 0n);
    expect(Buffer.from(below.stable.subarray(0, 4)).toString()).toBe("kept");
  });

  it("discard takes FUA off everything, and does not flush", async () => {
    expect(await reached("discard")).toEqual(["write 1 at 0", "write 1 at 0", "trim 1 at 0", "zero 1 at 0, noHole, fastZero"]);
  });

  it("discard offers FUA and flushes on a disk that has none", async () => {
    const none = filter("none", () => ({ flush: undefined, traits: { fua: "none" } }));
    await using disk = await openDisk(pipe(ram(4096), none, fua({ mode: "discard" })));
    expect(disk.capabilities).toMatchObject({ fua: "native", flush: true });
    await disk.write(new Uint8Array(1), 0n, { fua: true });
  });

  it.each([
    ["emulate", "fua cannot emulate FUA: the disk below has no flush"],
    ["native", "fua cannot pass FUA on: the disk below has none"],
    ["force", "fua cannot force FUA: the disk below has none"],
  ] as const)("%s refuses a disk that cannot flush", async (mode, message) => {
    const none = filter("none", () => ({ flush: undefined, traits: { fua: "none" } }));
    await expect(openDisk(pipe(ram(4096), none, fua({ mode })))).rejects.toMatchObject({ code: "EINVAL", message });
  });

  it("leaves a read-only disk as it is", async () => {
    const below = ram(4096, { readonly: true });
    await using disk = await openDisk(pipe(below, fua({ mode: "force" })));
    expect(disk.capabilities.write).toBe(false);
  });

  it("keeps what is lent", async () => {
    for (const mode of ["none", "emulate", "force", "discard"] as const) {
      await using disk = await openDisk(pipe(ram(Buffer.from("x")), fua({ mode })));
      expect(disk.views?.(0n, 1)).toEqual([Uint8Array.of(0x78)]);
    }
  });

  it("refuses other modes", () => {
    expect(() => fua({ mode: "fast" as never })).toThrow('mode "fast": expected none, emulate, native, force, pass, discard');
  });
});

describeWith(["nbdkit", "nbdinfo"], "fua and nbdkit's", () => {
  it("refuse other modes", async () => {
    await expectBothRefuse(["--filter=fua", "memory", "1M", "fuamode=fast"]);
  });
});
