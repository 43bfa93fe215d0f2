// `npm run demo` does the main job, also on a machine that has none of the programs it can show.

import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fatImage } from "../../scripts/demo/fat.mjs";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const demo: string = join(import.meta.dirname, "../../scripts/demo/main.mjs");

test("shows a real file system going through a disk and back", () => {
  const output = execFileSync(process.execPath, [demo], { encoding: "utf8" });
  expect(output).toMatch(/copy off the disk +connect\(\) .* the same/);
  expect(output).toMatch(/What came back is what went in\.\n$/);
});

test("works without mkfs and without other clients, and says so", () => {
  const { status, stdout } = spawnSync(process.execPath, [demo], { encoding: "utf8", env: { DISKWRIGHT_DEMO_PATH: tree() } });
  expect(stdout).toMatch(/make an image +FAT16/);
  for (const name of ["nbdcopy", "qemu-img", "fsck.fat"]) expect(stdout).toMatch(new RegExp(`${name} +not installed`));
  expect(stdout).toMatch(/What came back is what went in\.\n$/);
  expect(status).toBe(0);
});

describeWith(["fsck.fat"], "the file system that the demo makes itself", () => {
  test("is a sound FAT16", () => {
    const files = { "long name of a file.txt": "x".repeat(100_000), empty: "", "a/b/c.ts": "c", ...manyFiles(200) };
    const folder = tree({ "image.none": "" });
    writeFileSync(join(folder, "image"), fatImage(tree(files), 16 * 2 ** 20));
    const output = execFileSync("fsck.fat", ["-n", "-l", join(folder, "image")], {
      encoding: "utf8",
      env: { PATH: "/usr/sbin:/sbin:/usr/bin" },
    });
    expect(output).toContain("long name of a file.txt");
    expect(output).toMatch(/20\d files, /);
  });
});

/** A folder with so many files that it takes several clusters. */
function manyFiles(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`many/file with number ${i}.txt`, `${i}`]));
}
