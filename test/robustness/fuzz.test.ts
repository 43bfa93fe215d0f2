// Ten seconds of fuzzing, the same in every run. `npm run fuzz` goes on for longer, and elsewhere.

import { expect, it } from "vitest";
import { Fuzzer } from "./fuzz/fuzzer.ts";
import { fuzzCase } from "./fuzz/mutations.ts";

const SEED = 1;
const MILLISECONDS = 10_000;

it("no mutated session throws out of the server, stops it, leaks or reaches another client", { timeout: 60_000 }, async () => {
  const fuzzer = await Fuzzer.start(SEED);
  const end = performance.now() + MILLISECONDS;
  let tried = 0;
  for (let seed = SEED; performance.now() < end; seed += 1) {
    const wrong = await fuzzer.run(fuzzCase(seed));
    expect(wrong === undefined ? undefined : `seed ${seed}: ${wrong}`).toBeUndefined();
    tried += 1;
  }
  expect(await fuzzer.stop()).toBeUndefined();
  expect(tried).toBeGreaterThan(100);
  // The garbage of what was tried, and no more: sessions leave nothing behind.
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(512 * 1024 * 1024);
});
