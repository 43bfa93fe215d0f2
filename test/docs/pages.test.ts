// What the documentation tells a reader to type works when typed: every block marked `run` is run, and prints what the page says it prints.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { type Block, blocksOf, pages } from "../../scripts/docs/blocks.mjs";
import { describeWith } from "../fixtures/tools.ts";

const root: string = join(import.meta.dirname, "../..");
const execute = promisify(execFile);

for (const page of pages(root)) {
  const blocks = blocksOf(root, page).filter(({ marks }) => marks.includes("run"));
  // Each block has a folder of its own, so that several can go on at once.
  if (blocks.length > 0) describe.concurrent(page, () => blocks.forEach(runs));
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
      const folder = installed(file);
      try {
        const { stdout } = language === "sh" ? await shell(folder, code) : await typescript(folder, code);
        if (output !== undefined) expect(stdout).toMatch(pattern(output));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  if (needs.length === 0) declare();
  else describeWith(needs, name, declare);
}

/** A folder in which diskwright and its packages are installed, as `npm install` does it, for a block of this page. */
function installed(page: string): string {
  const folder = mkdtempSync(join(tmpdir(), "diskwright-test-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  // npx takes most of a second to find what is installed here: it is asked for the first page alone.
  if (page !== "README.md") writeFileSync(join(folder, "node_modules/.bin/npx"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  symlinkSync(root, join(folder, "node_modules/diskwright"));
  symlinkSync(join(root, "node_modules/@diskwright"), join(folder, "node_modules/@diskwright"));
  symlinkSync("../diskwright/dist/cli.js", join(folder, "node_modules/.bin/diskwright"));
  return folder;
}

function shell(folder: string, code: string): Promise<{ stdout: string }> {
  const env = { ...process.env, PATH: `${folder}/node_modules/.bin:${process.env.PATH}:/usr/sbin:/sbin` };
  return execute("bash", ["-euo", "pipefail", "-c", code], { cwd: folder, env });
}

function typescript(folder: string, code: string): Promise<{ stdout: string }> {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } });
  writeFileSync(join(folder, "example.js"), outputText);
  return execute(process.execPath, ["example.js"], { cwd: folder });
}

/** What a page says is printed, as a pattern: `…` stands for anything, trailing white space is nothing. */
function pattern(text: string): RegExp {
  const parts = text.trimEnd().split("…");
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}\\s*$`, "s");
}
