// The cache filter and nbdkit's: the same command lines, the same bytes.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { command, expectBothRefuse, expectSame, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "cache", () => {
  test("nothing written: bytes and map are those below", async () => {
    await expectSame(["--filter=cache", "memory", "1M"]);
    await expectSame(["--filter=cache", "memory", "1000001", "cache-min-block-size=4096", "cache-on-read=true"]);
  });

  test("what makes no sense is refused by both", async () => {
    await expectBothRefuse(["--filter=cache", "memory", "1M", "cache=maybe"]);
    await expectBothRefuse(["--filter=cache", "memory", "1M", "cache-min-block-size=1000"]);
    await expectBothRefuse(["--filter=cache", "memory", "1M", "cache-max-size=1M", "cache-low-threshold=95", "cache-high-threshold=80"]);
    await expectBothRefuse(["--filter=cache", "memory", "1M", "cache-on-read=maybe"]);
  });
});

const writes = [
  "write -P 1 0 512",
  "write -P 2 100k 200k",
  "write -P 3 65535 2",
  "write -z 300k 100k",
  "write -P 5 310k 1k",
  "flush",
  "read -P 5 310k 1k",
  "write -f -P 4 1000000 40",
  "write -P 6 500k 100k",
  "write -P 7 1M 2M",
  "read -P 7 1M 2M",
];

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "qemu-io"], "cache, written to", () => {
  // Without asking for holes: nbdkit has them where something waits to be written back, and copies nothing from there.
  const after = async (who: Who, keys: readonly string[]): Promise<Buffer> => {
    const folder = tree();
    const io = writes.map((line) => `-c '${line}'`).join(" ");
    const script = `qemu-io -f raw ${io} "$uri" > ${folder}/io && nbdcopy --no-extents "$uri" ${folder}/content`;
    const { code, stderr } = await command(who, ["-U", "-", "--filter=cache", "memory", "4000768", ...keys, "--run", script]);
    expect(code, stderr).toBe(0);
    return readFileSync(`${folder}/content`);
  };

  test.each([
    ["cache=writeback"],
    ["cache=writethrough"],
    ["cache=unsafe"],
    ["cache-min-block-size=4k", "cache-on-read=true"],
    ["cache-max-size=1M", "cache-on-read=true"],
  ])("%s %s", async (...keys) => {
    const [theirs, ours] = [await after("nbdkit", keys), await after("diskwright", keys)];
    expect(ours.equals(theirs)).toBe(true);
  });
});
