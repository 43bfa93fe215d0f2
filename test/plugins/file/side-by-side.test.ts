// The file plugin beside nbdkit's.

import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pattern } from "../../contract/fixtures.ts";
import { command, expectBothRefuse, expectSame } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { tree } from "../../fixtures/tree.ts";

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "file and nbdkit's", () => {
  it.each([[[]], [["cache=none"]], [["fadvise=sequential"]], [["cache=none", "fadvise=random"]]])(
    "are the same file, with %j",
    async (keys) => {
      const { map } = await expectSame(["file", sparse(), ...keys]);
      expect(map).toHaveLength(5);
    },
  );

  it("are the same full file of an odd size", async () => {
    const path = join(tree(), "disk");
    writeFileSync(path, pattern(1_000_001));
    await expectSame(["file", `file=${path}`]);
  });

  it("are the same file in memory", async () => {
    await expectSame(["file", sparse("/dev/shm")]);
  });

  it("are the same file of a folder", async () => {
    await expectSame(["file", `dir=${join(sparse(), "..")}`], { exportName: "disk" });
  });

  it.each([[["file"]], [["file", "/nowhere"]], [["file", "/dev"]], [["file", "/dev/null"]], [["file", "dir=/nowhere"]]])(
    "refuse %j",
    async (argv) => {
      expect((await expectBothRefuse(argv)).diskwright).not.toBe("");
    },
  );

  it.each([["cache=often"], ["fadvise=maybe"]])("refuse %s", async (key) => {
    await expectBothRefuse(["file", sparse(), key]);
  });

  it("write the same file, with the same holes", async () => {
    const source = sparse();
    const copies = [];
    for (const who of ["nbdkit", "diskwright"] as const) {
      const path = join(tree(), "copy");
      writeFileSync(path, Buffer.alloc(8 * 2 ** 20, 0xff));
      const { code, stderr } = await command(who, [
        "-U",
        "-",
        "file",
        path,
        "--run",
        `nbdcopy --destination-is-zero -C 1 ${source} "$uri" || exit; nbdcopy ${source} "$uri"`,
      ]);
      expect(code, stderr).toBe(0);
      copies.push(readFileSync(path));
    }
    expect(Buffer.compare(copies[0] as Buffer, copies[1] as Buffer)).toBe(0);
    expect(Buffer.compare(copies[1] as Buffer, readFileSync(source))).toBe(0);
  });
});

/** 8 MiB with two pieces of data. */
function sparse(place?: string): string {
  const path = join(tree({ disk: "" }, place), "disk");
  truncateSync(path, 8 * 2 ** 20);
  const fd = openSync(path, "r+");
  writeSync(fd, pattern(100_000), 0, 100_000, 2 ** 20);
  writeSync(fd, pattern(5000), 0, 5000, 5 * 2 ** 20);
  closeSync(fd);
  return path;
}
