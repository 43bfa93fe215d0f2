// A file system of each kind, checked by the program for that.

import { expect, test } from "vitest";
import { run } from "../../../test/fixtures/run.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { filesIn, open, saved, within } from "./fixtures.ts";

/** What the checks of each need: the program and its arguments, without those that would mend anything. */
const kinds = [
  { type: "ext2", size: "8M", check: ["e2fsck", "-fn"] },
  { type: "ext3", size: "8M", check: ["e2fsck", "-fn"] },
  { type: "ext4", size: "8M", check: ["e2fsck", "-fn"] },
  { type: "vfat", size: "8M", check: ["fsck.vfat", "-n"] },
  { type: "xfs", size: "320M", check: ["xfs_repair", "-n"] },
  { type: "btrfs", size: "128M", check: ["btrfs", "check", "--readonly"] },
] as const;

for (const { type, size, check } of kinds) {
  const [checker, ...args] = check;
  describeWith([`mkfs.${type}`, checker, "blkid"], type, () => {
    test("is what the check and blkid say", async () => {
      const options = within({ type, label: "Try me" });
      const disk = await open(size, options);
      expect(filesIn(options.directory)).toEqual([]);
      const copy = await saved(disk);
      await run(checker, [...args, copy]);
      const { stdout } = await run("blkid", ["-p", "-o", "export", copy]);
      expect(stdout).toMatch(new RegExp(`^TYPE=${type}$`, "m"));
      // dosfstools keeps labels as they are; blkid shows spaces with a backslash.
      expect(stdout.replaceAll("\\ ", " ")).toMatch(/^LABEL=Try me$/im);
    });

    test("takes little more room than the file system does", async () => {
      const disk = await open(size, { type });
      let data = 0n;
      for await (const { length, hole } of await disk.extents(0n, disk.size)) if (!hole) data += length;
      expect(Number(data)).toBeLessThan(Number(disk.size) / 2);
    });
  });
}

describeWith(["mkfs.minix", "mkfs.bfs", "blkid"], "kinds that are seldom seen", () => {
  test.each(["minix", "bfs"])("%s", async (type) => {
    const { stdout } = await run("blkid", ["-p", "-o", "export", await saved(await open("4M", { type }))]);
    expect(stdout).toMatch(new RegExp(`^TYPE=${type}$`, "m"));
  });
});

describeWith(["mkfs.ext4", "dumpe2fs"], "mkfs", () => {
  test("gets further arguments", async () => {
    const disk = await open("8M", { params: ["-N", "1234", "-b", "4096"] });
    const { stdout } = await run("dumpe2fs", ["-h", await saved(disk)]);
    expect(stdout).toMatch(/^Block size: +4096$/m);
    expect(Number(/^Inode count: +(\d+)$/m.exec(stdout)?.[1])).toBeGreaterThanOrEqual(1234);
  });

  test("that fails is shown with what it said", async () => {
    const error = await open(1000).catch((refused: unknown) => refused);
    expect(error).toMatchObject({
      code: "EIO",
      message: expect.stringMatching(/^tmpdisk: mkfs\.ext4 failed: it ended with exit code 1\n.*size/is),
    });
  });

  test("of a kind that is not installed is missed when the plugin starts, and the error says what to do", async () => {
    await expect(open("8M", { type: "nosuchfs" })).rejects.toThrow(/there is no mkfs\.nosuchfs on the PATH.*install/);
  });

  test.each(["$(touch hostile)", "a'b\"c", "-n", "; exit 1", "a\nb", "`id`", "ünïcödé"])("takes the label %j as it is", async (label) => {
    const { stdout } = await run("e2label", [await saved(await open("8M", { label }))]);
    expect(stdout).toBe(`${label}\n`);
  });
});
