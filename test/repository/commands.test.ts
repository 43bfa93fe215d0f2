// The checks of `npm run check` that are other people's programs fail, as we have set them up, on what they are there to find.

import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tree } from "../fixtures/tree.ts";

const root: string = join(import.meta.dirname, "../..");
const settings = ["biome.json", "tsconfig.json", "tsup.config.ts", "typedoc.json", "api-extractor.json", "api-extractor.testing.json"];

/** Runs the checks whose names start with one of `words` on a tree that has our settings. */
function check(files: Readonly<Record<string, unknown>>, ...words: string[]): string {
  const ours = Object.fromEntries(settings.map((name) => [name, readFileSync(join(root, name), "utf8")]));
  const where = tree({ ...ours, ...files });
  symlinkSync(join(root, "node_modules"), join(where, "node_modules"));
  const { status, stdout } = spawnSync(process.execPath, [join(root, "scripts/check.mjs"), ...words], { cwd: where, encoding: "utf8" });
  expect(status, stdout).toBe(1);
  return stdout;
}

test("lint and format: an unused import, and single quotes", () => {
  const output = check({ ".gitignore": "node_modules\n", "src/index.ts": "import { a } from './a.ts'\n" }, "lint");
  expect(output).toMatch(/FAILED lint and format/);
  expect(output).toContain("noUnusedImports");
  expect(output).toContain("format ━");
});

test("types: an export that does not say its type", () => {
  const output = check({ "package.json": { type: "module" }, "src/index.ts": "export const a = [1].map((n) => n);\n" }, "types");
  expect(output).toMatch(/FAILED types .*\nsrc\/index\.ts\(1,14\): error TS9010/);
});

test("build: a module that is not there", () => {
  const output = check({ "package.json": { type: "module" }, "src/index.ts": 'export { a } from "./a.ts";\n' }, "build");
  expect(output).toMatch(/FAILED build/);
  expect(output).toContain('Could not resolve "./a.ts"');
});

test("API report: a function that the report does not know", () => {
  const files = {
    "package.json": { name: "diskwright", type: "module" },
    "dist/testing.d.ts": "export declare function added(): void;\n",
    "etc/diskwright-testing.api.md": "## API Report File\n",
  };
  const output = check(files, "API report of");
  expect(output).toMatch(/FAILED API report of diskwright\/testing .*/);
  expect(output).toContain("You have changed the API signature for this project");
});

test("reference pages: a link that leads nowhere", () => {
  const source = "/** See {@link Nowhere}. */\nexport const a: number = 1;\n";
  const sources = { "src/index.ts": source, "src/testing/index.ts": source, "src/command/index.ts": source };
  const files = { "package.json": { name: "diskwright" }, "README.md": "", ...sources };
  expect(check(files, "reference")).toMatch(/FAILED reference pages[\s\S]*Nowhere/);
});

test("publint, and are the types wrong: an export that lacks a file, and types of the wrong kind", () => {
  const exports = { ".": { types: "./dist/index.d.cts", default: "./dist/index.js" }, "./testing": "./dist/testing.js" };
  const files = {
    "package.json": { name: "diskwright", version: "1.0.0", type: "module", exports, files: ["dist"] },
    "dist/index.js": "export {};\n",
    "dist/index.d.cts": "export = 1;\n",
  };
  const output = check(files, "publint", "are the types wrong");
  expect(output).toMatch(/FAILED publint[\s\S]*dist\/testing\.js[\s\S]*does not exist/);
  expect(output).toMatch(/FAILED are the types wrong[\s\S]*Masquerading as CJS/);
});
