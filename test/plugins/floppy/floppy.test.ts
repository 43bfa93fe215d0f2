// A folder as a FAT32 disk: what mtools and fsck.vfat find on it is what is in the folder.

import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { floppy, openDisk } from "../../../src/index.ts";
import { testPlugin } from "../../../src/testing/index.ts";
import { thrownBy } from "../../contract/fixtures.ts";
import { run } from "../../fixtures/run.ts";
import { command } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { tree } from "../../fixtures/tree.ts";

const files = {
  README: "read me",
  "hello.txt": "hello\n",
  "A rather long name, with spaces and a comma.text": "long",
  "übung.txt": "ü",
  ".hidden": "dot",
  empty: "",
  "sub/rand.bin": "x".repeat(100_000),
  "sub/deep/er/leaf": "leaf",
  "sub/a+b=c;[d].x": "odd",
};

/** Writes the disk of a folder into a file, as nbdcopy reads it. */
async function imageOf(folder: string, ...keys: string[]): Promise<string> {
  const image = join(tree(), "image");
  const { code, stderr } = await command("diskwright", ["-U", "-", "floppy", folder, ...keys, "--run", `nbdcopy "$uri" ${image}`]);
  expect([code, stderr]).toEqual([0, ""]);
  return image;
}

/** Every file of a folder by its path in it. */
function contentOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[path.slice(folder.length + 1)] = readFileSync(path, "base64");
    else found[`${path.slice(folder.length + 1)}/`] = "";
  }
  return found;
}

/** What mtools finds on a disk. */
function extracted(image: string): Record<string, string> {
  const folder = tree();
  execFileSync("mcopy", ["-s", "-i", `${image}@@1M`, "::*", folder], {
    env: { ...process.env, MTOOLS_SKIP_CHECK: "1", LC_ALL: "C.UTF-8" },
  });
  return contentOf(folder);
}

/** fsck.vfat on the partition; it says what is wrong, and answers with its exit code. */
async function check(image: string): Promise<void> {
  const partition = join(tree(), "partition");
  execFileSync("dd", [`if=${image}`, `of=${partition}`, "bs=1M", "skip=1", "conv=sparse", "status=none"]);
  const { stdout } = await run("fsck.vfat", ["-n", "-v", partition], { timeout: 30_000 });
  expect(stdout).not.toMatch(/differ|wrong|orphan|bad|duplicate|invalid|reclaim|correct/i);
}

describeWith(["nbdcopy", "mcopy", "fsck.vfat", "sfdisk"], "a floppy disk", () => {
  it("has the files of the folder", async () => {
    const folder = tree(files);
    mkdirSync(join(folder, "nothing in here"));
    const image = await imageOf(folder);
    await check(image);
    expect(extracted(image)).toEqual(contentOf(folder));
  });

  it("has one partition, with the label that it was given", async () => {
    const image = await imageOf(tree({ a: "a" }), "label=my Disk");
    const { partitiontable } = JSON.parse((await run("sfdisk", ["--json", image])).stdout) as {
      partitiontable: { label: string; partitions: unknown[] };
    };
    expect(partitiontable).toMatchObject({ label: "dos", partitions: [{ start: 2048, type: "c" }] });
    const { stdout } = await run("mlabel", ["-s", "-i", `${image}@@1M`, "::"], { env: { MTOOLS_SKIP_CHECK: "1" } });
    expect(stdout).toContain("MY DISK");
    await check(image);
  });

  it.each(["4M", "64M", "600M"])("is as large as it is told: %s", async (size) => {
    const folder = tree(files);
    const image = await imageOf(folder, `size=${size}`);
    expect(statSync(image).size).toBe(Number.parseInt(size, 10) * 2 ** 20);
    await check(image);
    // mtools takes a small disk for FAT16, whatever it says it is.
    if (size !== "4M") expect(extracted(image)).toEqual(contentOf(folder));
  });

  it("has a directory of many clusters, and files whose short names are alike", async () => {
    const folder = tree(Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`a long name that begins like others ${i}`, `${i}`])));
    const image = await imageOf(folder);
    await check(image);
    expect(extracted(image)).toEqual(contentOf(folder));
  });

  it("keeps when files were changed", async () => {
    const folder = tree({ old: "1", new: "2", ancient: "3" });
    const times = { old: new Date(2001, 1, 3, 4, 5, 6), new: new Date(2026, 10, 21, 23, 59, 58), ancient: new Date(1970, 5, 1) };
    for (const [name, time] of Object.entries(times)) utimesSync(join(folder, name), time, time);
    const image = await imageOf(folder);
    await check(image);
    const { stdout } = await run("mdir", ["-i", `${image}@@1M`, "::"], {
      env: { MTOOLS_SKIP_CHECK: "1", MTOOLS_DATE_STRING: "yyyy-mm-dd" },
    });
    expect(stdout).toMatch(/OLD .*2001-02-03 +4:05/);
    expect(stdout).toMatch(/NEW .*2026-11-21 +23:59/);
    expect(stdout).toMatch(/ANCIENT .*1980-01-01/);
  });

  it("any folder comes back as it was", async () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9 äß日_.+-]{0,20}[a-z0-9]$/u).filter((text) => !text.startsWith(" "));
    const leaf = fc.string({ maxLength: 3000 });
    const folderOf = fc.letrec<{ folder: Record<string, unknown> }>((tie) => ({
      folder: fc.dictionary(name, fc.oneof({ depthSize: "small" }, leaf, tie("folder")), { maxKeys: 6 }),
    })).folder;
    await fc.assert(
      fc.asyncProperty(folderOf, async (content) => {
        const folder = tree();
        // mtools does not copy nothing.
        fillFolder(folder, { ...content, "the last": "" });
        const image = await imageOf(folder);
        await check(image);
        expect(extracted(image)).toEqual(contentOf(folder));
      }),
      { numRuns: 12, seed: 1 },
    );
  }, 60_000);

  it("shows only what the files take as data", async () => {
    const disk = await openDisk(floppy(tree({ a: "a".repeat(5000) })));
    const data = disk.size - (await disk.extents(0n, disk.size)).reduce((sum, { length, hole }) => sum + (hole ? length : 0n), 0n);
    expect(Number(data)).toBeLessThan(10_000);
    await disk.close();
  });

  it("links are left out", async () => {
    const folder = tree({ file: "file" });
    symlinkSync("file", join(folder, "link"));
    symlinkSync("/nowhere", join(folder, "broken"));
    expect(Object.keys(extracted(await imageOf(folder)))).toEqual(["file"]);
  });

  it("nbdkit's has the same files", async () => {
    const folder = tree(files);
    const theirs = join(tree(), "image");
    // With less than this mtools takes it for a FAT16 disk.
    await run("nbdkit", ["-U", "-", "floppy", folder, "size=2G", "--run", `nbdcopy "$uri" ${theirs}`]);
    expect(extracted(await imageOf(folder))).toEqual(extracted(theirs));
  });
});

/** Writes a folder, leaving out names that differ only in case. */
function fillFolder(folder: string, content: Readonly<Record<string, unknown>>): void {
  const taken = new Set<string>();
  for (const [name, value] of Object.entries(content)) {
    if (taken.has(name.toUpperCase())) continue;
    taken.add(name.toUpperCase());
    const path = join(folder, name);
    if (typeof value === "string") {
      writeFileSync(path, value);
    } else {
      mkdirSync(path);
      fillFolder(path, value as Record<string, unknown>);
    }
  }
}

describe("conformance", () => {
  testPlugin({ test: it, factory: () => floppy(tree(files)), expect: { write: false, extents: true, multiConn: true } });
});

describe("what FAT cannot keep is refused when the disk is started", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    [
      "names that differ in case",
      { "a/Read": "", "a/READ": "" },
      /a\/(Read|READ) cannot be on a FAT disk: FAT takes its name for that of "(READ|Read)"/,
    ],
    ["a colon", { "a:b": "" }, /a:b cannot be on a FAT disk: its name has ":"/],
    ["a control character", { "a\u0001b": "" }, /its name has "\\u0001"/],
    ["a dot at the end", { "a.": "" }, /its name ends with a dot/],
    ["a space at the end", { "a ": "" }, /its name ends with a space/],
  ])("%s", async (_, content, message) => {
    await expect(openDisk(floppy(tree(content)))).rejects.toThrow(message);
  });

  it("a name that is not UTF-8", async () => {
    const folder = tree();
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x61, 0xff])]), "");
    await expect(openDisk(floppy(folder))).rejects.toThrow(/has a name that is not UTF-8/);
  });

  it("a file of 4 GiB; one of a byte less is kept", async () => {
    const folder = tree({ large: "" });
    const fd = openSync(join(folder, "large"), "r+");
    ftruncateSync(fd, 2 ** 32);
    await expect(openDisk(floppy(folder))).rejects.toThrow(/large has 4294967296 bytes: a file on a FAT disk has at most 4294967295/);
    ftruncateSync(fd, 2 ** 32 - 1);
    closeSync(fd);
    const disk = await openDisk(floppy(folder));
    expect(disk.size).toBeGreaterThan(2n ** 32n);
    const target = Buffer.alloc(4096, 1);
    await disk.read(target, 2n ** 31n);
    expect(target.equals(Buffer.alloc(4096))).toBe(true);
    await disk.close();
  });

  it("a size that the files do not fit into", async () => {
    await expect(openDisk(floppy(tree({ a: "a".repeat(3e6) }), { size: "3M" }))).rejects.toThrow(/size 3145728: the files need 4\d+ bytes/);
  });

  it("a folder that is not there", async () => {
    await expect(openDisk(floppy("/no/such/folder"))).rejects.toThrow("/no/such/folder cannot be read: ENOENT");
  });
});

describe("options", () => {
  it.each([
    [{ label: "" }, /label "": expected 1 to 11/],
    [{ label: "twelve chars" }, /label "twelve chars": expected 1 to 11/],
    [{ label: "a/b" }, /label "a\/b"/],
    [{ size: 1000 }, /size 1000: expected a multiple of 512/],
    [{ size: "3T" }, /size 3298534883328: expected a multiple of 512 bytes, at most/],
  ])("%j are refused", (options, message) => {
    expect(() => floppy("/tmp", options)).toThrow(message);
  });

  it("no folder is refused", () => expect(() => floppy("")).toThrow(/dir ""/));
});

describe("files that change while the disk is served", () => {
  it("give an error, and not a mix; others can still be read", async () => {
    const folder = tree({ a: "a".repeat(2000), b: "b".repeat(2000) });
    const disk = await openDisk(floppy(folder));
    const [, ...data] = parts(await disk.extents(0n, disk.size), disk.size).slice(-2);
    const [a] = data as [bigint];
    writeFileSync(join(folder, "b"), "changed");
    // The files are the last two regions of the disk, one after the other.
    await expect(disk.read(Buffer.alloc(512), a)).rejects.toThrow(/b has changed since the disk was made of it/);
    await disk.close();
  });

  it("a client is not told the server's paths", async () => {
    const folder = tree({ secret: "s".repeat(2000) });
    const disk = await openDisk(floppy(folder));
    writeFileSync(join(folder, "secret"), "");
    const error = await thrownBy(() => disk.read(Buffer.alloc(2_000_000), 1_000_000n));
    expect(error).toMatchObject({ code: "EIO" });
    expect((error as Error).name).not.toBe("DiskError");
    await disk.close();
  });
});

/** Where the parts that are not holes begin. */
function parts(holes: readonly { offset: bigint; length: bigint; hole?: boolean }[], size: bigint): bigint[] {
  return holes.filter(({ hole, offset }) => !hole && offset < size).map(({ offset }) => offset);
}
