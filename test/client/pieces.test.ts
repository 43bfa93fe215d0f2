import { describe, expect, it } from "vitest";
import { inPieces } from "../../src/client/pieces.ts";
import { deferred } from "../fixtures/deferred.ts";

describe("inPieces", () => {
  it("passes on what fits as it is", async () => {
    const calls: bigint[][] = [];
    await inPieces(5n, 10n, 10n, async (...range) => void calls.push(range));
    expect(calls).toEqual([[5n, 10n]]);
  });

  it("covers the range once, each piece as long as can be", async () => {
    const calls: bigint[][] = [];
    await inPieces(5n, 25n, 10n, async (...range) => void calls.push(range));
    expect(calls).toEqual([
      [5n, 10n],
      [15n, 10n],
      [25n, 5n],
    ]);
  });

  it("works on 16 pieces at a time, however many there are", async () => {
    let [now, most, all] = [0, 0, 0];
    await inPieces(0n, 1000n, 1n, async () => {
      now += 1;
      all += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
    });
    expect([most, all, now]).toEqual([16, 1000, 0]);
  });

  it("begins nothing after a failure, waits for what was begun, and throws the first", async () => {
    const slow = deferred();
    let begun = 0;
    let settled = false;
    const work = inPieces(0n, 100n, 1n, async (offset) => {
      begun += 1;
      if (offset === 0n) await slow.promise;
      else if (offset < 3n) throw new Error(`piece ${offset}`);
      else await new Promise((resolve) => setImmediate(resolve));
    });
    work.catch(() => undefined).finally(() => (settled = true));
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toBe(16);
    expect(settled).toBe(false);
    slow.resolve();
    await expect(work).rejects.toThrow("piece 1");
    expect(begun).toBe(16);
  });
});
