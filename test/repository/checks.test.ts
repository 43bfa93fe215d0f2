// Every check of `npm run check` that is our own accepts this tree, and can fail: each is shown a tree with what it is there to find.

import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { docs, exported, imports, links, packaged, paths } from "../../scripts/checks/index.mjs";
import { tree } from "../fixtures/tree.ts";

const root: string = join(import.meta.dirname, "../..");

describe("imports", () => {
  test("this tree imports only what it may", () => expect(imports(root)).toEqual([]));

  test.each([
    ["src/contract/a.ts", 'import { b } from "../protocol/b.ts";', "contract may import nothing, not protocol"],
    ["src/contract/a.ts", 'import type { Socket } from "node:net";', "contract does no I/O and uses no Node module"],
    ["src/protocol/a.ts", 'export * from "../server/b.ts";', "protocol may import contract, not server"],
    ["src/protocol/a.ts", 'const net = await import("node:net");', "protocol does no I/O and uses no Node module"],
    ["src/server/a.ts", 'import type { B } from "../client/b.ts";', "server may import contract, protocol, native, not client"],
    ["src/plugins/a.ts", 'import { b } from "../filters/b.ts";', "plugins may import contract, common, native, client, not filters"],
    ["src/testing/a.ts", 'import { b } from "../cli/b.ts";', "testing may import contract, client, server, not cli"],
    ["src/index.ts", 'export * from "./cli/main.ts";', "not cli"],
    ["src/server/a.ts", 'import ws from "ws";', "the core has no dependencies"],
    ["src/server/a.ts", 'import { b } from "./b.js";', "write the .ts extension"],
    ["src/server/a.ts", 'import { b } from "../../test/b.ts";', "which is outside src/"],
    ["src/newcomer/a.ts", "", "src/newcomer has no import rule"],
    ["plugins/s3/src/a.ts", 'import { b } from "../../xz/src/b.ts";', "which is outside plugins/s3"],
    ["plugins/s3/src/a.ts", 'import { b } from "diskwright/dist/chunk.js";', "plugins see only the public diskwright"],
  ])("%s with %s is refused", (file, text, problem) => {
    expect(imports(tree({ [file]: text }))).toEqual([expect.stringContaining(problem)]);
  });

  test("a folder may import itself and what the architecture lets it", () => {
    const files = {
      "src/server/a.ts": 'import "./b.ts"; import "../contract/c.ts"; import "node:net";',
      "src/cli/a.ts": 'import "../index.ts";',
      "src/native/a.ts": 'import("koffi");',
      "plugins/s3/src/a.ts": 'import "diskwright"; import "diskwright/testing"; import "@aws-sdk/client-s3"; import "./b.ts";',
      "plugins/s3/test/a.test.ts": 'import "../src/a.ts"; import "../../../test/fixtures/tree.ts";',
    };
    expect(imports(tree(files))).toEqual([]);
  });
});

describe("exports", () => {
  const manifest = {
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
    bin: { x: "dist/cli.js" },
    files: ["dist"],
  };
  const built = { "dist/index.js": "", "dist/index.d.ts": "", "dist/cli.js": "#!/usr/bin/env node\n", "dist/chunk-ABCD1234.js": "" };

  test("a package that agrees with its build is accepted", () => {
    expect(exported(tree({ "package.json": manifest, ...built }))).toEqual([]);
  });

  test("an export that was not built is found", () => {
    const exports = { ...manifest.exports, "./testing": "./dist/testing.js" };
    expect(exported(tree({ "package.json": { ...manifest, exports }, ...built }))).toEqual([
      'exports["./testing"] names dist/testing.js, which does not exist',
    ]);
  });

  test("a built file that nothing exports is found", () => {
    expect(exported(tree({ "package.json": manifest, ...built, "dist/extra.js": "" }))).toEqual([
      "dist/extra.js was built, but neither exports nor bin names it",
    ]);
  });

  test("a file that another one starts a thread with needs no export", () => {
    const files = { ...built, "dist/worker.js": "", "dist/index.js": 'new Worker(new URL("./worker.js", import.meta.url));' };
    expect(exported(tree({ "package.json": manifest, ...files }))).toEqual([]);
  });

  test("an export that is not packed is found", () => {
    const problems = exported(tree({ "package.json": { ...manifest, files: ["lib"] }, ...built }));
    expect(problems).toContain('bin.x names dist/cli.js, which "files" leaves out of the package');
  });

  test("a command that the shell cannot start is found", () => {
    expect(exported(tree({ "package.json": manifest, ...built, "dist/cli.js": "run();" }))).toEqual([
      "bin.x: dist/cli.js does not start with #!/usr/bin/env node",
    ]);
  });

  test("a missing build is found", () => {
    expect(exported(tree({ "package.json": manifest }))).toContain("dist/ is missing or empty: npm run build");
  });
});

describe("package", () => {
  const lock = { packages: { "node_modules/a": { version: "1.0.0" } } };

  test("this tree's package runs nothing and depends on nothing", () => expect(packaged(root)).toEqual([]));

  test("an address in the lock file is found", () => {
    const packages = { "node_modules/a": { resolved: "https://registry.example/a.tgz" } };
    expect(packaged(tree({ "package.json": {}, "package-lock.json": { packages } }))).toEqual([
      expect.stringContaining("package-lock.json: node_modules/a is resolved to https://registry.example/a.tgz"),
    ]);
  });

  test("a package that another names and that has no entry is found, for npm ci refuses such a lock file", () => {
    const packages = {
      "node_modules/a": { optionalDependencies: { "a-linux": "1.0.0", "a-win32": "1.0.0" }, dependencies: { b: "^1", c: "^1" } },
      "node_modules/a-linux": { version: "1.0.0" },
      "node_modules/a/node_modules/b": { version: "1.0.0", dependencies: { c: "^1", "a-linux": "1.0.0" } },
      "node_modules/c": { version: "1.0.0" },
    };
    expect(packaged(tree({ "package.json": {}, "package-lock.json": { packages } }))).toEqual([
      "package-lock.json: node_modules/a names a-win32, which has no entry, so npm ci refuses the file: npm run lock",
    ]);
  });

  test("a dependency of the core is found", () => {
    expect(packaged(tree({ "package.json": { dependencies: { ws: "8" } }, "package-lock.json": lock }))).toEqual([
      "package.json has ws in dependencies: the core depends on nothing",
    ]);
  });

  test("an install script is found, in a plugin's package too", () => {
    const files = { "package.json": {}, "package-lock.json": lock, "plugins/s3/package.json": { scripts: { postinstall: "make" } } };
    expect(packaged(tree(files))).toEqual(["plugins/s3/package.json has a postinstall script: installing must run nothing"]);
  });
});

describe("paths", () => {
  test("this tree names no path of one machine", () => expect(paths(root)).toEqual([]));

  test.each([["home", "me", "x"].join("/"), ["Users", "me", "x"].join("/")])("/%s is found", (path) => {
    expect(paths(tree({ "docs/a.md": `one\n/${path}\n` }))).toEqual([expect.stringContaining("docs/a.md:2 names a path of one machine")]);
  });

  test("the home directory and the checkout itself are found", () => {
    const where = tree({ "a.md": "" });
    expect(paths(tree({ "a.md": `${homedir()}/x` }))).toHaveLength(1);
    expect(paths(where)).toEqual([]);
  });

  test("paths inside the tree, and those that every machine has, are not meant", () => {
    expect(paths(tree({ "a.md": "see docs/home/ and /usr/bin/env, /tmp/x, https://host/home/me/" }))).toEqual([]);
  });
});

describe("docs", () => {
  const built = {
    "package.json": { name: "diskwright", type: "module", exports: { ".": "./dist/index.js" } },
    "dist/index.js": "",
    "dist/index.d.ts": "export declare function twice(n: number): number;",
  };
  const page = (code: string): string => `# Page\n\n\`\`\`ts\n${code}\n\`\`\`\n`;

  test("an example that uses what is exported compiles, with or without its import", () => {
    const imported = page('import { twice } from "diskwright";\nconst n: number = twice(2);');
    expect(docs(tree({ ...built, "README.md": page("twice(2);"), "docs/a.md": imported }))).toEqual([]);
  });

  test("an example that does not compile is found, with its line", () => {
    expect(docs(tree({ ...built, "docs/a.md": page("twice(1);\ntwice('two');") }))).toEqual([
      expect.stringMatching(/^docs\/a\.md:5: .*string/),
    ]);
  });

  test("an example in a doc comment is found, with its line", () => {
    const source = "/**\n * Doubles.\n *\n * @example\n * ```ts\n * thrice(2);\n * ```\n */\nexport function twice(n: number): number;\n";
    expect(docs(tree({ ...built, "src/twice.ts": source }))).toEqual(["src/twice.ts:6: Cannot find name 'thrice'."]);
  });

  test("a continued example knows what stood before it", () => {
    const pages = "```ts\nconst a = twice(2);\n```\n```ts continued\ntwice(a);\n```\n```ts\ntwice(a);\n```\n";
    expect(docs(tree({ ...built, "docs/a.md": pages }))).toEqual(["docs/a.md:8: Cannot find name 'a'."]);
  });

  test("a missing build is found", () => {
    expect(docs(tree({ "README.md": page("1;") }))).toEqual(["dist/index.d.ts is missing: npm run build"]);
  });
});

describe("links", () => {
  test("this tree's pages link to what is there", () => expect(links(root)).toEqual([]));

  test("a link to a file or a heading that is not there is found, with its line", () => {
    const files = {
      "README.md": "See [a](docs/a.md),\n[b](docs/b.md), [the web](https://example.com) and `[c](c.md)`.\n",
      "docs/a.md": "# A page's title\n\n[up](../README.md) [here](#a-pages-title) [nowhere](a.md#title)\n",
    };
    expect(links(tree(files))).toEqual([
      "README.md:2 links to docs/b.md, which is not there",
      "docs/a.md:3 links to a.md#title, which is not there",
    ]);
  });
});

describe("npm run check", () => {
  const run = (where: string): { status: number | null; stdout: string } =>
    spawnSync(process.execPath, [join(root, "scripts/check.mjs"), "package", "imports"], { cwd: where, encoding: "utf8" });

  test("says what held", () => {
    const { status, stdout } = run(tree({ "package.json": {}, "package-lock.json": {} }));
    expect(stdout).toMatch(/^ok {5}imports between folders .*\nok {5}package and lock file .*\nAll 2 checks hold\.\n$/);
    expect(status).toBe(0);
  });

  test("shows what did not, and fails", () => {
    const { status, stdout } = run(tree({ "package.json": {}, "src/contract/a.ts": 'import "node:net";' }));
    expect(stdout).toMatch(/FAILED imports between folders .*\nsrc\/contract\/a\.ts imports node:net/);
    expect(stdout).toMatch(/FAILED package and lock file .*\npackage-lock\.json is missing\n2 of 2 checks failed\.\n$/);
    expect(status).toBe(1);
  });
});
