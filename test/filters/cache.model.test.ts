// Random requests of several clients at once on a cached disk, against an array of bytes; and what a power cut leaves.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CacheOptions, cache, openDisk, pipe } from "../../src/index.ts";
import { allSorts } from "../../src/testing/filter-model.ts";
import { ram } from "../../src/testing/index.ts";
import { batches, jitter, perform } from "../fixtures/byte-model.ts";
import { tree } from "../fixtures/tree.ts";

beforeEach(() => vi.stubEnv("TMPDIR", tree()));
afterEach(() => vi.unstubAllEnvs());

const SIZE = 50_001;
const kinds = ["read", "write", "zero", "noHole", "trim", "cache", "flush"] as const;
const variants: readonly CacheOptions[] = [
  { blockSize: 4096 },
  { blockSize: 4096, onRead: true, maxSize: 20_480, maxDirty: 8192 },
  { blockSize: 4096, mode: "writethrough", onRead: true },
  { blockSize: 4096, mode: "unsafe", maxSize: 40_960 },
  {},
];

for (const options of variants) {
  test(`cache(${JSON.stringify(options)})`, async () => {
    const content = allSorts(SIZE);
    await fc.assert(
      fc.asyncProperty(batches(SIZE, 3, 20_000, kinds), fc.nat(), async (list, seed) => {
        const below = ram(content);
        const plugin = pipe(below, jitter(seed), cache(options));
        const disks = [await openDisk(plugin), await openDisk(plugin), await openDisk(plugin)];
        const model = content.slice();
        for (const [i, steps] of list.entries()) {
          await perform(disks, steps, model);
          if (i % 3 !== 2 || options.mode === "unsafe") continue;
          await disks[i % 2]?.flush();
          expect(Buffer.compare(below.stable, model), "stable after a flush").toBe(0);
        }
        for (const disk of disks) await disk.close();
        expect(Buffer.compare(below.stable, model), "stable after closing").toBe(0);
      }),
      { numRuns: 20 },
    );
  }, 60_000);
}
