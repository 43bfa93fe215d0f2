// The same command line for nbdkit and for us.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { expectBothRefuse, expectSame } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { xzOf } from "./samples.ts";

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "xz"], "beside nbdkit", () => {
  const content = sample(2_000_000);

  function fileOf(bytes: Uint8Array): string {
    const path = join(tree(), "disk.xz");
    writeFileSync(path, bytes);
    return path;
  }

  test.each([
    ["small blocks", xzOf(content, "--block-size=64KiB"), []],
    ["small blocks of which one is kept", xzOf(content, "--block-size=64KiB"), ["xz-max-depth=1"]],
    ["one block", xzOf(content, "--check=sha256"), []],
    ["several streams", Buffer.concat([xzOf(content.subarray(0, 9999)), Buffer.alloc(8), xzOf(content)]), ["xz-max-block=2M"]],
  ])("%s", async (_, file, keys) => {
    const { content: read } = await expectSame(["--filter=xz", "file", fileOf(file), ...keys]);
    expect(read.length).toBeGreaterThanOrEqual(content.length);
  });

  test("what is too large, or no xz file, is refused by both", async () => {
    await expectBothRefuse(["--filter=xz", "file", fileOf(xzOf(content)), "xz-max-block=1M"]);
    await expectBothRefuse(["--filter=xz", "file", fileOf(content)]);
    await expectBothRefuse(["--filter=xz", "file", fileOf(xzOf(content)), "xz-max-depth=0"]);
  });
});
