// `diskwright serve ./disk.ts`: plugins that are files of the user's, as the built command runs them.

import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isFile } from "../../src/cli/script/file.ts";
import { knowsTypeScript } from "../../src/cli/script/transpiler.ts";
import { located } from "../../src/cli/script/where.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { diskwright, type Outcome, program, run } from "./fixtures/command.ts";

const modules = join(import.meta.dirname, "../../node_modules");

/** A folder with a script, in which these packages are installed. */
function folderWith(files: Readonly<Record<string, string>>, ...packages: readonly string[]): string {
  const folder = tree(files);
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  for (const name of packages) symlinkSync(join(modules, name), join(folder, "node_modules", name));
  return folder;
}

/** Serves a script for the length of a command, in the script's folder. */
function serveIn(cwd: string, args: readonly string[]): Promise<Outcome> {
  return diskwright(["serve", "-U", "-", ...args], { cwd });
}

/** Lines of the letter that is given. */
const letters = `
export default ({ letter = "a" }) => ({
  name: "letters",
  open: () => ({ size: 64n, read: (target) => void target.fill(letter) }),
});
`;

describe("a name is that of a file", () => {
  it.each(["./disk", "/a/disk", "disk.js", "disk.mjs", "disk.cjs", "disk.ts", "disk.mts", "a/b"])("%s", (name) => {
    expect(isFile(name)).toBe(true);
  });
  it.each(["memory", "sparse-random", "disk", "disk.txt"])("%s is not", (name) => {
    expect(isFile(name)).toBe(false);
  });
});

describe("where an error comes from", () => {
  const error = (stack: string): Error => Object.assign(new Error("text"), { stack: `Error: text\n${stack}` });

  it.each<[string, string]>([
    ["    at read (file:///f/disk.ts:12:7)\n    at x (file:///f/disk.ts:1:1)", "text (at /f/disk.ts:12:7)"],
    ["    at node:internal/x:1:1\n    at async /f/lib/a%20b.js:3:4", "text (at /f/lib/a%20b.js:3:4)"],
    ["    at async open (file:///f/a%20b.js:3:4)", "text (at /f/a b.js:3:4)"],
    ["    at x (file:///f/node_modules/y/z.js:1:2)\n    at file:///other/a.js:1:2", "text"],
    ["", "text"],
  ])("%s", (stack, text) => {
    expect(located(error(stack), "/f/disk.ts")).toBe(text);
  });

  it("is found behind the error that was thrown in its place, and said once", () => {
    const outer = new Error("outer", { cause: error("    at file:///f/disk.ts:1:2") });
    outer.stack = "";
    expect(located(outer, "/f/disk.ts")).toBe("outer (at /f/disk.ts:1:2)");
    expect(located(new Error("text (at /f/disk.ts:1:2)", { cause: outer }), "/f/disk.ts")).toBe("text (at /f/disk.ts:1:2)");
  });

  it("what is thrown need not be an error", () => {
    expect(located("text", "/f/disk.ts")).toBe("text");
  });
});

describeWith(["nbdcopy"], "a plugin in a file", () => {
  const show = 'nbdcopy "$uri" out';
  const shown = (folder: string): string => readFileSync(join(folder, "out"), "utf8").trim();

  it("gets what is given as text where it names no keys", async () => {
    const folder = folderWith({ "disk.mjs": letters });
    const { code, stderr } = await serveIn(folder, ["disk.mjs", "letter=x", "letter=y", "--run", show]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(shown(folder)).toBe("y".repeat(64));
  });

  it("may be a plugin as it is, and CommonJS", async () => {
    const folder = folderWith({ "disk.cjs": `module.exports = { name: "d", open: () => ({ size: 3n, read: (t) => void t.fill("c") }) };` });
    expect(await serveIn(folder, ["./disk.cjs", "--run", show])).toMatchObject({ code: 0, stderr: "" });
    expect(shown(folder)).toBe("ccc");
    expect((await serveIn(folder, ["./disk.cjs", "a=b", "--run", show])).stderr).toContain(
      "unknown parameter 'a' (disk takes no parameters)",
    );
  });

  it("gets values of the types that its keys have, and the help shows them", async () => {
    const folder = folderWith({
      "disk.js": `
        export const summary = "As many letters as you like";
        export const keys = {
          size: { type: "size", magic: true, required: true, help: "How many" },
          letter: { type: "choice", values: ["a", "b"], help: "Which" },
        };
        export default async ({ size, letter = "a" }) => ({ name: "letters", open: () => ({ size, read: (t) => void t.fill(letter) }) });`,
    });
    expect(await serveIn(folder, ["./disk.js", "1k", "letter=b", "--run", show])).toMatchObject({ code: 0, stderr: "" });
    expect(shown(folder)).toBe("b".repeat(1024));
    expect((await serveIn(folder, ["./disk.js"])).stderr).toContain("disk: size= is missing: How many");
    expect((await serveIn(folder, ["./disk.js", "1k", "letter=c"])).stderr).toContain('disk: letter "c": expected a or b');
    expect((await serveIn(folder, ["./disk.js", "--help"])).stdout).toContain(
      "plugin disk: As many letters as you like\n  size=SIZE   How many (required",
    );
  });

  it("may be an entry as packages have them, and import this package from nowhere", async () => {
    const folder = folderWith({
      "disk.mjs": `
        import { filter, memory, pipe } from "diskwright";
        import { pluginEntry } from "diskwright/command";
        export default pluginEntry({
          name: "ones", summary: "Ones", keys: { size: { type: "size", magic: true, required: true, help: "Size" } },
          create: ({ size }) => pipe(memory(size), filter("ones", () => ({ read: (t) => void t.fill("1"), extents: undefined }))),
        });`,
    });
    expect(await serveIn(folder, ["./disk.mjs", "5", "--run", show])).toMatchObject({ code: 0, stderr: "" });
    expect(shown(folder)).toBe("11111");
    expect((await serveIn(folder, ["--dump-plugin", "./disk.mjs"])).stdout).toContain("name=ones\n");
  });

  it("is seen through filters as any other", async () => {
    const folder = folderWith({ "disk.mjs": letters });
    expect(await serveIn(folder, ["--filter=offset", "disk.mjs", "range=8", "--run", show])).toMatchObject({ code: 0, stderr: "" });
    expect(shown(folder)).toBe("a".repeat(8));
  });

  it("is a program when it says who runs it", async () => {
    const folder = folderWith({});
    // As npx finds the command, so does env.
    const line = `#!/usr/bin/env -S ${process.execPath} ${program} serve\n`;
    const path = join(folder, "disk2.mjs");

    writeFileSync(path, line + letters);
    chmodSync(path, 0o755);
    const { code, stderr } = await run(path, ["letter=z", "-U", "-", "--run", show], { cwd: folder });
    expect([code, stderr]).toEqual([0, ""]);
    expect(shown(folder)).toBe("z".repeat(64));
  });

  describe("in TypeScript", () => {
    const typescript = `
import type { Plugin } from "diskwright";
import { fill, type Letter } from "./letter.ts";

interface Options { readonly letter?: Letter }

export default function letters({ letter = "a" }: Options): Plugin {
  return {
    name: "letters",
    open: () => ({
      size: 64n,
      read(target: Uint8Array): void {
        if (letter === "q") throw new Error(\`no \${letter satisfies string}\`);
        fill(target, letter);
      },
    }),
  };
}
`;
    const files = {
      "disk.ts": typescript,
      "letter.ts": `export type Letter = string;\nexport const fill = (target: Uint8Array, letter: Letter): void => void target.fill(letter as never);\n`,
    };

    it.each(["esbuild", "typescript"])("runs, by %s where Node.js does not do it itself; errors have the author's lines", async (name) => {
      const folder = folderWith({ ...files, "bad.ts": "\nexport default {\n  a: 1;\n};\n" }, name);
      expect(await serveIn(folder, ["disk.ts", "letter=t", "--run", show])).toMatchObject({ code: 0, stderr: "" });
      expect(shown(folder)).toBe("t".repeat(64));
      const failed = await serveIn(folder, ["disk.ts", "letter=q", "--run", `${show} 2>/dev/null`]);
      expect(failed.stderr).toContain(`no q (at ${folder}/disk.ts:13:`);
      expect((await serveIn(folder, ["./bad.ts"])).stderr).toMatch(/bad\.ts.*:3/);
    });

    it("is taken by tsx's esbuild too", async () => {
      const folder = folderWith({ ...files, "node_modules/tsx/package.json": '{"name":"tsx"}' });
      mkdirSync(join(folder, "node_modules/tsx/node_modules"));
      symlinkSync(join(modules, "esbuild"), join(folder, "node_modules/tsx/node_modules/esbuild"));
      expect(await serveIn(folder, ["disk.ts", "--run", show])).toMatchObject({ code: 0, stderr: "" });
    });

    it.skipIf(knowsTypeScript())("names the choices where nothing can run it", async () => {
      const { code, stderr } = await serveIn(folderWith(files), ["disk.ts"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^diskwright: disk\.ts: Node\.js 2\S+ does not run TypeScript\. Use Node\.js 22\.18 or later, install esbuild, tsx or typescript/,
      );
    });
  });

  describe("says where it went wrong", () => {
    it.each<[string, string, RegExp]>([
      ["a syntax error", "export default {\n  a: ;\n};\n", /^diskwright: .\/disk\.mjs: Unexpected token ';' \(at \S+\/disk\.mjs:2\)\n$/],
      [
        "an import of what is not there",
        'import "nosuch";\n',
        /^diskwright: .\/disk\.mjs: Cannot find package 'nosuch' imported from \S+\/disk\.mjs\n$/,
      ],
      ["an error while it is loaded", '\nthrow new Error("at once");\n', /^diskwright: .\/disk\.mjs: at once \(at \S+\/disk\.mjs:2:7\)\n$/],
      [
        "an error in the factory",
        'export default () => {\n  throw new Error("none");\n};\n',
        /^diskwright: disk: none \(at \S+\/disk\.mjs:2:9\)\n$/,
      ],
      ["no default export", "export const a = 1;\n", /its default export is missing: expected a plugin, or a function that makes one/],
      ["an export that is no plugin", "export default 5;\n", /its default export is number: expected a plugin/],
      [
        "a factory that makes none",
        "export default () => ({ size: 1n });\n",
        /disk: what its default export makes is not a plugin: it has no open\(\)/,
      ],
      [
        "a key of no type",
        'export const keys = { a: { type: "float" } };\nexport default () => {};\n',
        /the type of its key a is float: expected one of size, boolean/,
      ],
    ])("%s", async (_, source, text) => {
      const { code, stderr } = await serveIn(folderWith({ "disk.mjs": source }), ["./disk.mjs"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(text);
    });

    it("an error in a request, which the client sees as EIO", async () => {
      const folder = folderWith({
        "disk.mjs": `export default {\n  name: "d",\n  open: () => ({\n    size: 64n,\n    async read() {\n      throw new Error("not today");\n    },\n  }),\n};\n`,
      });
      const { stderr } = await serveIn(folder, ["disk.mjs", "--run", 'nbdcopy "$uri" out 2>/dev/null']);
      expect(stderr).toContain(`read offset=0 length=64: not today (at ${folder}/disk.mjs:6:13)`);
    });

    it.each<[string, RegExp]>([
      ["./none.mjs", /^diskwright: .\/none\.mjs: there is no such file\n$/],
      ["./node_modules", /the name of a plugin's file ends in \.js, \.mjs, \.cjs, \.ts, \.mts\n/],
      ["/usr/lib/nbdkit-memory-plugin.so", /; what was compiled for nbdkit cannot be used here\n/],
    ])("%s", async (name, text) => {
      const { code, stderr } = await serveIn(folderWith({}), [name]);
      expect(code).toBe(1);
      expect(stderr).toMatch(text);
    });
  });
});
