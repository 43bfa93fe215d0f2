// The packages as npm would publish them: packed, installed in an empty folder, imported and required, their READMEs' examples run.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Block, blocksOf } from "../../scripts/docs/blocks.mjs";
import { describeWith } from "../fixtures/tools.ts";

const root: string = join(import.meta.dirname, "../..");
const names: string[] = readdirSync(join(root, "plugins"));

/** What one has installed who installs the core and all packages. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "diskwright-packed-"));
  const archives = join(folder, "archives");
  mkdirSync(archives);
  for (const from of [".", ...names.map((name) => join("plugins", name))]) {
    npm(join(root, from), "pack", "--silent", "--pack-destination", archives);
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  npm(folder, "install", "--silent", "--no-audit", "--no-fund", ...readdirSync(archives).map((file) => join(archives, file)));
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(names)("@diskwright/%s", (name) => {
  test("is imported and required", () => {
    const expression = `Object.entries(await import("@diskwright/${name}")).filter(([, value]) => typeof value === "function").map(([key]) => key)`;
    const imported = node(`console.log(JSON.stringify(${expression}))`);
    expect(JSON.parse(imported)).not.toEqual([]);
    const required = node(
      `import { createRequire } from "node:module"; console.log(JSON.stringify(Object.keys(createRequire(process.cwd() + "/")("@diskwright/${name}"))))`,
    );
    expect(JSON.parse(required)).toEqual(expect.arrayContaining(JSON.parse(imported) as string[]));
  });

  test("has what a package is to have: a page, a licence, types", () => {
    const installed = join(folder, "node_modules/@diskwright", name);
    for (const file of ["README.md", "LICENSE", "dist/index.d.ts", "dist/command.d.ts"])
      expect(existsSync(join(installed, file)), file).toBe(true);
    expect(existsSync(join(installed, "src"))).toBe(false);
  });

  const blocks = blocksOf(root, join("plugins", name, "README.md")).filter(
    ({ marks, language }) => marks.includes("run") && language === "ts",
  );
  // The others need a service, a swarm or a library of somebody else.
  test.skipIf(["s3", "torrent", "vddk"].includes(name))("has an example in its README that can be run", () =>
    expect(blocks.length).toBeGreaterThan(0),
  );
  for (const block of blocks) runs(block);
});

test.each([
  ["torrent", ["@diskwright/torrent", "diskwright"]],
  ["http", ["@diskwright/http", "diskwright", "undici"]],
] as const)("@diskwright/%s needs nothing but what npm unpacks: no compiler, and no downloads from elsewhere", (name, expected) => {
  const alone = mkdtempSync(join(tmpdir(), "diskwright-packed-"));
  try {
    writeFileSync(join(alone, "package.json"), JSON.stringify({ private: true }));
    const archives = readdirSync(join(folder, "archives")).filter(
      (file) => file.startsWith(`diskwright-${name}-`) || /^diskwright-\d/.test(file),
    );
    expect(archives).toHaveLength(2);
    const paths = archives.map((file) => join(folder, "archives", file));
    npm(alone, "install", "--silent", "--no-audit", "--no-fund", "--omit=peer", ...paths);
    const lock = JSON.parse(readFileSync(join(alone, "package-lock.json"), "utf8")) as {
      packages: Record<string, { hasInstallScript?: boolean; optional?: boolean; peer?: boolean }>;
    };
    const installed = Object.entries(lock.packages).filter(
      ([path, { peer, optional }]) => path !== "" && !(peer ?? false) && !(optional ?? false),
    );
    expect(installed.map(([path]) => path.replace(/^.*node_modules\//, "")).sort()).toEqual([...expected]);
    expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  } finally {
    rmSync(alone, { recursive: true, force: true });
  }
});

function runs({ file, line, code, output, marks }: Block): void {
  const declare = (): void =>
    test(`${file}:${line} runs as pasted`, () => {
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      const printed = node(outputText);
      if (output !== undefined) expect(printed.trimEnd().split("\n")).toHaveLength(output.trimEnd().split("\n").length);
    });
  const needs = marks.flatMap((mark) => /^needs=(.*)$/.exec(mark)?.[1]?.split(",") ?? []);
  if (needs.length === 0) declare();
  else describeWith(needs, `${file}:${line}`, declare);
}

/** Runs a program in the folder; answers what it prints. */
function node(code: string): string {
  const program = join(folder, "example.js");
  writeFileSync(program, code);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return execFileSync(process.execPath, [program], { cwd: folder, encoding: "utf8", env });
}

function npm(cwd: string, ...parameters: string[]): void {
  execFileSync("npm", parameters, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}
