// The readonly filter.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { memory, openDisk, pipe, readonly } from "../../src/index.ts";
import { ram, testFilter } from "../../src/testing/index.ts";
import { tree } from "../fixtures/tree.ts";

describe("readonly", () => {
  describe("for good", () => {
    testFilter({
      test,
      routes: ["directly"],
      filter: () => readonly(),
      transparent: true,
      expect: { write: false },
      takesAway: ["write", "trim", "zero", "fua", "fastZero"],
    });
  });

  describe("at times, when it is not", () => {
    testFilter({ test, routes: ["directly"], filter: () => readonly({ when: () => false }), transparent: true });
  });

  it("tells clients so", async () => {
    await using disk = await openDisk(pipe(memory("1M"), readonly()));
    expect(disk.capabilities.write).toBe(false);
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow("cannot write: the disk is read-only");
  });

  it("keeps what is lent for reading", async () => {
    await using disk = await openDisk(pipe(ram(Buffer.from("x")), readonly({ when: () => true })));
    expect(disk.views?.(0n, 1)).toEqual([Uint8Array.of(0x78)]);
    expect(disk.room).toBeUndefined();
  });

  it("follows an app's switch", async () => {
    let locked = true;
    await using disk = await openDisk(pipe(memory("1M"), readonly({ when: () => locked })));
    expect(disk.capabilities.write).toBe(true);
    const requests = [() => disk.write(new Uint8Array(1), 0n), () => disk.trim(0n, 1n), () => disk.zero(0n, 1n)];
    for (const request of requests) {
      locked = true;
      expect(request).toThrow(
        expect.objectContaining({ code: "EPERM", message: expect.stringMatching(/the disk is read-only at the moment$/) }),
      );
      locked = false;
      expect(request()).toBeUndefined();
    }
  });

  it("follows a file that comes and goes", async () => {
    const file = join(tree(), "readonly");
    await using disk = await openDisk(pipe(memory("1M"), readonly({ file })));
    await disk.write(new Uint8Array(1), 0n);
    writeFileSync(file, "");
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow("cannot write: the disk is read-only at the moment");
    rmSync(file);
    await disk.write(new Uint8Array(1), 0n);
  });

  it("refuses what is no path and no function", () => {
    expect(() => readonly({ file: "" })).toThrow("file: expected a path");
    expect(() => readonly({ when: true as never })).toThrow("when: expected a function");
  });
});
