// The noextents filter.

import { describe, expect, it, test } from "vitest";
import { memory, noextents, openDisk, pipe } from "../../src/index.ts";
import { testFilter } from "../../src/testing/index.ts";
import { expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

describe("noextents", () => {
  testFilter({ test, routes: ["directly"], filter: () => noextents(), transparent: true, takesAway: ["extents"] });

  it("says that all is data", async () => {
    await using disk = await openDisk(pipe(memory("1M"), noextents()));
    expect(disk.capabilities.extents).toBe(false);
    expect(await disk.extents(0n, 1048576n)).toEqual([{ offset: 0n, length: 1048576n, hole: false, zero: false }]);
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "noextents and nbdkit's", () => {
  it("show the same map", async () => {
    await expectSame(["--filter=noextents", "memory", "1M"]);
  });
});
