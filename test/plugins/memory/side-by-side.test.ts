// The memory plugin beside nbdkit's.

import { expect, it } from "vitest";
import { expectBothRefuse, expectSame } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "memory and nbdkit's", () => {
  it("are empty disks of the same size", async () => {
    const { content, map } = await expectSame(["memory", "1M"]);
    expect(content).toHaveLength(1024 * 1024);
    expect(map).toMatchObject([{ offset: 0, length: 1024 * 1024, type: 3 }]);
  });

  it("refuse a disk without a size", async () => {
    expect((await expectBothRefuse(["memory"])).diskwright).toMatch(/size/);
  });
});
