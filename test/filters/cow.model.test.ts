// Random requests of several clients at once on a cow disk, against an array of bytes.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CowOptions, cow, openDisk, pipe } from "../../src/index.ts";
import { allSorts } from "../../src/testing/filter-model.ts";
import { ram } from "../../src/testing/index.ts";
import { batches, jitter, perform } from "../fixtures/byte-model.ts";
import { tree } from "../fixtures/tree.ts";

beforeEach(() => vi.stubEnv("TMPDIR", tree()));
afterEach(() => vi.unstubAllEnvs());

const SIZE = 50_001;
const kinds = ["read", "write", "zero", "noHole", "trim", "cache", "flush"] as const;
const variants: readonly CowOptions[] = [{ blockSize: 4096 }, { blockSize: 4096, onRead: true, onCache: true }, {}];

for (const options of variants) {
  test(`cow(${JSON.stringify(options)})`, async () => {
    const content = allSorts(SIZE);
    await fc.assert(
      fc.asyncProperty(batches(SIZE, 3, 20_000, kinds), fc.nat(), async (list, seed) => {
        const below = ram(content);
        const plugin = pipe(below, jitter(seed), cow(options));
        const disks = [await openDisk(plugin), await openDisk(plugin), await openDisk(plugin)];
        const model = content.slice();
        for (const steps of list) await perform(disks, steps, model);
        await holesAreZeroes(disks[0] as (typeof disks)[0], model);
        for (const disk of disks) await disk.close();
        expect(Buffer.compare(below.bytes, content)).toBe(0);
      }),
      { numRuns: 20 },
    );
  }, 60_000);
}

async function holesAreZeroes(disk: Awaited<ReturnType<typeof openDisk>>, model: Uint8Array): Promise<void> {
  for (let at = 0n; at < disk.size; ) {
    for (const { offset, length, zero } of await disk.extents(at, disk.size - at)) {
      if (zero) expect(model.subarray(Number(offset), Number(offset + length)).some((byte) => byte !== 0)).toBe(false);
      at = offset + length;
    }
  }
}
