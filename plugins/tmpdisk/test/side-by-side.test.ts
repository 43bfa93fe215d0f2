// The same command lines for nbdkit and for us: the disks are of the same size and kind, with the same label.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { command, expectBothRefuse, expectSame, type Who } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "blkid", "mkfs.ext4", "mkfs.xfs", "mkfs.vfat", "mkfs.btrfs"], "beside nbdkit", () => {
  // nbdkit leaves its file when a command fails.
  beforeEach(() => {
    const folder = tree();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
  });

  /** What blkid says of a disk, without what is random. */
  async function blkid(who: Who, argv: readonly string[]): Promise<string> {
    const folder = tree();
    const [disk, said] = [join(folder, "disk"), join(folder, "said")];
    const probe = `nbdinfo --size "$uri" > ${said} && nbdcopy "$uri" ${disk} && PATH=$PATH:/sbin blkid -p -o export ${disk} | grep -Ev 'UUID|DEVNAME' >> ${said}`;
    const { code, stderr } = await command(who, ["-U", "-", "tmpdisk", ...argv, "--run", probe]);
    expect(code, stderr).toBe(0);
    return readFileSync(said, "utf8");
  }

  test.each([
    ["ext4 unless told otherwise", ["8M"]],
    ["with a label", ["8M", "label=a b'c\"$d"]],
    ["ext2", ["size=8M", "type=ext2"]],
    ["ext3 with a label", ["16M", "type=ext3", "label=three"]],
    ["xfs with a label", ["320M", "type=xfs", "label=x f s"]],
    ["vfat", ["8M", "type=vfat"]],
    ["btrfs", ["128M", "type=btrfs"]],
  ])("%s", async (_, argv) => {
    const [theirs, ours] = [await blkid("nbdkit", argv), await blkid("diskwright", argv)];
    expect(ours).toBe(theirs);
    expect(ours).toMatch(/^TYPE=/m);
  });

  test.each([
    ["a command with variables", ["1M", 'text=it\'s $HOME "quoted"', 'command=printf %s "$text" > "$disk"; truncate -s $size "$disk"']],
    [
      "what a command knows of size, type and label",
      ["1M", "type=some", "label=thing", 'command=printf %s "$size $type $label" > "$disk"'],
    ],
    ["what it does not know", ["3s", 'command=printf %s "[$type$label]" > "$disk"']],
    ["a command that chooses the size", ["size=0", 'command=truncate -s 12345 "$disk"']],
    ["an export of any name", ["1M", 'command=truncate -s $size "$disk"']],
  ])("%s", async (_, argv) => {
    await expectSame(["tmpdisk", ...argv], { map: false });
  });

  test("a copy of a base image", async () => {
    const base = join(tree(), "base");
    writeFileSync(base, Buffer.alloc(100_000, "base "));
    const { content } = await expectSame(["tmpdisk", "0", `base=${base}`, 'command=cp "$base" "$disk"']);
    expect(content.toString("latin1", 0, 9)).toBe("base base");
  });

  test.each([
    ["no size", []],
    ["no size that makes sense", ["lots"]],
    ["a variable that is set by us", ["1M", "disk=/tmp/x", "command=true"]],
    ["a command that fails", ["1M", "command=exit 1"]],
    ["a command that makes nothing", ["1M", "command=true"]],
    ["a disk that is too small for the file system", ["1000"]],
    ["a kind that there is not", ["1M", "type=nosuchfs"]],
  ])("%s is refused by both", async (_, argv) => {
    await expectBothRefuse(["tmpdisk", ...argv]);
  });
});
