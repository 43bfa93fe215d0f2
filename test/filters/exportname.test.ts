// The exportname filter.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type ExportNameOptions, exportName, info, listExports, openDisk, type Plugin, pipe } from "../../src/index.ts";
import { testFilter } from "../../src/testing/index.ts";
import { served } from "../fixtures/served.ts";
import { command, expectBothRefuse, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

/** A plugin with two exports, of which the second is the default. */
const two: Plugin = {
  ...info(),
  exports: () => [{ name: "a", description: "the first" }, { name: "b" }],
  defaultExport: () => "b",
};

async function list(options: ExportNameOptions, plugin = two) {
  const { uri } = await served("unix", pipe(plugin, exportName(options)));
  return listExports(uri);
}

/** What is read of an export: info's disk holds its name. */
async function opened(options: ExportNameOptions, name?: string): Promise<string> {
  await using disk = await openDisk(pipe(two, exportName(options)), name === undefined ? {} : { exportName: name });
  const target = Buffer.alloc(Number(disk.size));
  await disk.read(target, 0n);
  return target.toString();
}

describe("exportName", () => {
  testFilter({ test, routes: ["directly"], filter: () => exportName({ describe: () => "a disk" }), transparent: true });

  it("changes nothing unless told to", async () => {
    expect(await list({})).toEqual([{ name: "a", description: "the first" }, { name: "b" }]);
    expect(await opened({})).toBe("b");
    expect(await opened({}, "x")).toBe("x");
  });

  it("has another default export", async () => {
    expect(await opened({ defaultExport: "c" })).toBe("c");
    expect(await opened({ defaultExport: "c" }, "a")).toBe("a");
    expect(await opened({ defaultExport: "" })).toBe("b");
    expect(await list({ defaultExport: "c" }, info())).toEqual([{ name: "c" }]);
  });

  it.each([
    ["empty", []],
    ["defaultonly", [{ name: "b" }]],
    ["explicit", [{ name: "x" }, { name: "y" }]],
    ["keep", [{ name: "a", description: "the first" }, { name: "b" }]],
  ] as const)("lists %s", async (mode, expected) => {
    expect(await list({ list: mode, names: ["x", "y"] })).toEqual(expected);
  });

  it("lists an error", async () => {
    await expect(list({ list: "error" })).rejects.toThrow("exports are not listed here");
  });

  it("lists asynchronous lists", async () => {
    const later: Plugin = {
      ...info(),
      exports: async function* () {
        yield { name: "late" };
      } as never,
    };
    expect(await list({ describe: "none" }, later)).toEqual([{ name: "late" }]);
  });

  it("refuses names that are not among the given ones, if told to", async () => {
    const options = { strict: true, names: ["x"] };
    expect(await opened(options, "x")).toBe("x");
    await expect(opened(options, "a")).rejects.toMatchObject({
      code: "ENOENT",
      message: 'export "a" is not one of those that may be used',
    });
    await expect(opened(options)).rejects.toThrow('export "b"');
    expect(await opened({ ...options, defaultExport: "x" })).toBe("x");
  });

  it("describes exports by a function, or not at all", async () => {
    expect(await list({ describe: "none" })).toEqual([{ name: "a" }, { name: "b" }]);
    const describe = async (name: string) => (name === "a" ? undefined : `disk ${name}`);
    expect(await list({ describe })).toEqual([{ name: "a" }, { name: "b", description: "disk b" }]);
    await using disk = await openDisk(pipe(two, exportName({ describe })));
    expect(disk.description).toBe("disk b");
  });

  it("describes exports by a script, which may fail and may say too much", async () => {
    const script = 'case "$name" in a) echo "the $name";; b) exit 1;; c) echo; esac; test "$name" != d || yes ü';
    const shown = await list({ describe: { script }, list: "explicit", names: ["a", "b", "c", "d"] });
    expect(shown.slice(0, 3)).toEqual([{ name: "a", description: "the a" }, { name: "b" }, { name: "c" }]);
    const long = shown[3]?.description as string;
    expect(long).toMatch(/^(ü\s)*ü?$/);
    expect(Buffer.byteLength(long)).toBeGreaterThan(4000);
  });

  it("refuses what makes no sense", () => {
    expect(() => exportName({ list: "some" as never })).toThrow('list "some": expected keep, error, empty, defaultonly, explicit');
    expect(() => exportName({ names: ["a\0"] })).toThrow("expected at most 4096 bytes");
    expect(() => exportName({ defaultExport: "x".repeat(5000) })).toThrow("expected at most 4096 bytes");
    expect(() => exportName({ describe: 7 as never })).toThrow("describe 7: expected keep, none, a function or { script }");
  });
});

describeWith(["nbdkit", "nbdinfo"], "exportname and nbdkit's", () => {
  /** What nbdinfo prints of the list, and of the default export. */
  async function printed(who: Who, keys: readonly string[]): Promise<string> {
    const folder = tree();
    const script = `(nbdinfo --list "$uri"; nbdinfo "$uri") 2>/dev/null | grep -E 'export=|description|export-size' > ${join(folder, "out")}; true`;
    await command(who, ["-U", "-", "--filter=exportname", "info", ...keys, "--run", script]);
    return readFileSync(join(folder, "out"), "utf8");
  }

  it.each([
    [[]],
    [["default-export=foo"]],
    [["exportname-list=error"]],
    [["exportname-list=empty"]],
    [["exportname-list=defaultonly", "default-export=foo"]],
    [["exportname-list=explicit", "exportname=a", "exportname=b"]],
    [["exportname=a", "exportname-strict=true"]],
    [["exportdesc=fixed:hello"]],
    [["exportdesc=none"]],
    [["exportname-list=explicit", "exportname=a", "exportname=b", "exportdesc=script:echo it is $name"]],
    [["exportname-list=explicit", "exportname=a", "exportdesc=script:exit 3"]],
  ])("show the same: %j", async (keys) => {
    expect(await printed("diskwright", keys)).toBe(await printed("nbdkit", keys));
  });

  it("refuse other descriptions and modes", async () => {
    await expectBothRefuse(["--filter=exportname", "info", "exportdesc=x"]);
    await expectBothRefuse(["--filter=exportname", "info", "exportname-list=x"]);
  });
});
