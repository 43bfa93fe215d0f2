// What the documentation tells a reader to type works when typed: every block marked `run` is run, and prints what the page says it prints.

import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { type Block, blocksOf, pages } from "../../scripts/docs/blocks.mjs";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const root: string = join(import.meta.dirname, "../..");
const execute = promisify(execFile);

for (const page of pages(root)) {
  const blocks = blocksOf(root, page).filter(({ marks }) => marks.includes("run"));
  if (blocks.length > 0) describe(page, () => blocks.forEach(runs));
}

test("a page that says something else than what is printed is found", () => {
  expect("one\ntwo\n").not.toMatch(pattern("one"));
  expect("one\ntwo\n").toMatch(pattern("one\n…"));
  expect("size: 1048576\n").toMatch(pattern("size: …6"));
  expect("size: 1048577\n").not.toMatch(pattern("size: …6"));
});

function runs(block: Block): void {
  const { file, line, language, code, output, marks } = block;
  const needs = marks.flatMap((mark) => /^needs=(.*)$/.exec(mark)?.[1]?.split(",") ?? []);
  const name = `${file}:${line}`;
  const declare = (): void =>
    test(`${name} ${code.split("\n")[0]} …`, async () => {
      const { stdout } = language === "sh" ? await shell(code) : await typescript(code);
      if (output !== undefined) expect(stdout).toMatch(pattern(output));
    });
  if (needs.length === 0) declare();
  else describeWith(needs, name, declare);
}

/** A folder in which diskwright and its packages are installed, as `npm install` does it. */
function installed(): string {
  const folder = tree({ "package.json": { type: "module", private: true } });
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/diskwright"));
  symlinkSync(join(root, "node_modules/@diskwright"), join(folder, "node_modules/@diskwright"));
  symlinkSync("../diskwright/dist/cli.js", join(folder, "node_modules/.bin/diskwright"));
  return folder;
}

function shell(code: string): Promise<{ stdout: string }> {
  const folder = installed();
  const env = { ...process.env, PATH: `${folder}/node_modules/.bin:${process.env.PATH}:/usr/sbin:/sbin` };
  return execute("bash", ["-euo", "pipefail", "-c", code], { cwd: folder, env });
}

function typescript(code: string): Promise<{ stdout: string }> {
  const folder = installed();
  const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } });
  writeFileSync(join(folder, "example.js"), outputText);
  return execute(process.execPath, ["example.js"], { cwd: folder });
}

/** What a page says is printed, as a pattern: `…` stands for anything, trailing white space is nothing. */
function pattern(text: string): RegExp {
  const parts = text.trimEnd().split("…");
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}\\s*$`, "s");
}
