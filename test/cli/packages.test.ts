// Plugins and filters from other packages are found where the command is run, or beside it.

import { expect, it } from "vitest";
import { tree } from "../fixtures/tree.ts";
import { diskwright, type Outcome } from "./fixtures/command.ts";

const command = { type: "module", exports: { "./command": "./command.js" } };

/** A plugin of one letter as a package has it. */
const letters = `
export const plugins = [{
  name: "letters",
  summary: "A disk full of one letter",
  version: "1.2.3",
  keys: { letter: { type: "string", magic: true, help: "Which one" } },
  create: ({ letter = "a" }) => ({ name: "letters", open: () => ({ size: 512n, read: (target) => void target.fill(letter) }) }),
}];
`;

/** Packages by name, as their files. */
type Packages = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Runs the command in a folder with these packages. */
function serveWith(packages: Packages, ...args: string[]): Promise<Outcome> {
  const files = Object.entries(packages).flatMap(([name, texts]) =>
    Object.entries(texts).map(([file, text]) => [`node_modules/${name}/${file}`, text]),
  );
  return diskwright(["serve", ...args], { cwd: tree(Object.fromEntries(files)) });
}

it("a community plugin is found by its package's name", async () => {
  const packages = { "diskwright-plugin-letters": { "package.json": command, "command.js": letters } };
  const { code, stdout, stderr } = await serveWith(packages, "letters", "--help");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("plugin letters: A disk full of one letter\n  letter=STRING");
  expect((await serveWith(packages, "letters", "--version")).stdout).toContain("letters 1.2.3\n");
  expect((await serveWith(packages, "-U", "-", "letters", "z", "--run", "exit 7")).code).toBe(7);
});

it("a filter that no package has is refused", async () => {
  const { code, stderr } = await diskwright(["serve", "--filter=of-nobody", "memory", "1M"]);
  expect(code).toBe(1);
  expect(stderr).toContain("there is no filter 'of-nobody'");
});

it.each([
  ["that has no such plugin", "export const plugins = [];", /the package diskwright-plugin-letters has no plugin 'letters'/],
  ["that throws when it is loaded", "throw new Error('no luck');", /the package diskwright-plugin-letters cannot be loaded: no luck/],
  ["whose entry is none", "export const plugins = [{ name: 'letters' }];", /has no plugin 'letters'/],
])("a package %s is told of", async (_, text, message) => {
  const packages = { "diskwright-plugin-letters": { "package.json": command, "command.js": text } };
  const { code, stderr } = await serveWith(packages, "letters");
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
});

it("a package without a /command is none of ours", async () => {
  const packages = { "diskwright-plugin-letters": { "package.json": { type: "module", exports: "./index.js" }, "index.js": "" } };
  expect((await serveWith(packages, "letters")).stderr).toContain("there is no plugin 'letters'");
});

it.each(["../evil", "a/b", "a\\b", "", ".x"])("%j is no name of a package, and nothing is loaded", async (name) => {
  const { code, stderr } = await serveWith({}, `--filter=${name}`, "memory", "1M");
  expect(code).toBe(1);
  expect(stderr).toContain("there is no filter");
});
