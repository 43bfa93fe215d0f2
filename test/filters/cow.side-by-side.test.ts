// The cow filter and nbdkit's: the same command lines, the same bytes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, expectBothRefuse, expectSame, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const writes = [
  "write -P 1 0 512",
  "write -P 2 100k 200k",
  "write -P 3 65535 2",
  "write -z 300k 100k",
  "discard 128k 64k",
  "write -P 4 1048000 576",
  "flush",
];

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "cow", () => {
  test("nothing written: bytes and map are those below", async () => {
    await expectSame(["--filter=cow", "memory", "1M"]);
    await expectSame(["--filter=cow", "memory", "1000001", "cow-block-size=4096"]);
  });

  test("what is no block size is refused by both", async () => {
    await expectBothRefuse(["--filter=cow", "memory", "1M", "cow-block-size=1000"]);
    await expectBothRefuse(["--filter=cow", "memory", "1M", "cow-block-size=2048"]);
    await expectBothRefuse(["--filter=cow", "memory", "1M", "cow-on-read=maybe"]);
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "qemu-io"], "cow, written to", () => {
  test.each([["cow-block-size=64k"], ["cow-block-size=4k"], ["cow-on-read=true"], ["cow-on-cache=true"]])("%s", async (key) => {
    const after = async (who: Who): Promise<{ content: Buffer; map: unknown }> => {
      const folder = tree();
      const io = writes.map((line) => `-c '${line}'`).join(" ");
      const script = `qemu-io -f raw ${io} "$uri" > ${folder}/io && nbdcopy "$uri" ${folder}/content && nbdinfo --map --json "$uri" > ${folder}/map`;
      const { code, stderr } = await command(who, ["-U", "-", "--filter=cow", "memory", "1M", key, "--run", script]);
      expect(code, stderr).toBe(0);
      return { content: readFileSync(join(folder, "content")), map: JSON.parse(readFileSync(join(folder, "map"), "utf8")) };
    };
    const [theirs, ours] = [await after("nbdkit"), await after("diskwright")];
    expect(ours.content.equals(theirs.content)).toBe(true);
  });

  test("without zeroing, which nbdkit writes out, the maps are the same", async () => {
    const after = async (who: Who): Promise<unknown> => {
      const map = join(tree(), "map");
      const io = "-c 'write -P 2 100k 200k' -c 'write -P 3 700k 1k' -c 'discard 128k 64k'";
      const script = `qemu-io -f raw ${io} "$uri" > ${map} && nbdinfo --map --json "$uri" > ${map}`;
      const { code, stderr } = await command(who, ["-U", "-", "--filter=cow", "memory", "1M", "--run", script]);
      expect(code, stderr).toBe(0);
      return JSON.parse(readFileSync(map, "utf8"));
    };
    expect(await after("diskwright")).toEqual(await after("nbdkit"));
  });
});
