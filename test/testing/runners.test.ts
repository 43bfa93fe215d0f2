// The kit works with the test functions that authors use: this suite is vitest's, here are the others.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "tsup";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ram, type TestFunction, testPlugin } from "../../src/testing/index.ts";
import { bytes, over, plugin } from "./disks.ts";

const { write: _, ...readOnly } = over(bytes(1000));
const suite = (test: TestFunction) => testPlugin({ test, factory: () => plugin(readOnly), routes: ["directly"] });

describe("node:test", () => {
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "diskwright-"));
    const entry = { testing: join(import.meta.dirname, "../../src/testing/index.ts") };
    await build({ entry, outDir: folder, format: "esm", target: "node20.19", config: false, silent: true, dts: false, clean: false });
  }, 60_000);
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a program of tests; what node:test says of them. */
  function run(program: string): { status: number | null; output: string; count: (what: string) => number } {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(
      join(folder, "disk.test.js"),
      `import { test } from "node:test";\nimport { ram, testFilter, testPlugin } from "./testing.js";\n${program}`,
    );
    // Without the variables of the runner that runs this test.
    const env = { PATH: process.env.PATH };
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", "disk.test.js"], {
      cwd: folder,
      env,
      encoding: "utf8",
    });
    const output = stdout + stderr;
    return { status, output, count: (what) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(output)?.[1]) };
  }

  test("runs the suites, on every route, and shows what was skipped and why", { timeout: 60_000 }, () => {
    const { status, output, count } = run(`
      testPlugin({ test, name: "plugin", factory: () => ram(10000), expect: { write: true } });
      testFilter({ test, name: "filter", filter: () => (next) => next, transparent: true, routes: ["directly"] });
    `);
    expect(output).not.toContain("not ok");
    expect(status).toBe(0);
    expect(count("fail")).toBe(0);
    expect(count("pass")).toBeGreaterThan(100);
    expect(count("skipped")).toBeGreaterThan(10);
    expect(output).toMatch(
      /ok \d+ - plugin: over a socket: read gives other bytes each time, all of them # SKIP it gives the same bytes each time/,
    );
  });

  test("shows what is wrong", { timeout: 60_000 }, () => {
    const { status, output } = run(`
      testPlugin({ test, factory: () => ({ name: "forgetful", open: () => ({ size: 4096n, read: (target) => void target.fill(1), write: () => undefined }) }), routes: ["directly"] });
    `);
    expect(status).toBe(1);
    expect(output).toMatch(/not ok \d+ - directly: write puts bytes where they belong/);
    expect(output).toMatch(/read of .*: byte .* is 0x01/);
  });
});

describe("mocha", () => {
  // Mocha takes a test with a parameter for one with a callback, hands its context on as `this`, and skips by throwing.
  class Pending extends Error {}
  const registered: [string, (this: unknown) => Promise<void>][] = [];
  suite((name, body) => registered.push([name, body]));

  test("gets tests without parameters, which skip by its context", async () => {
    let passed = 0;
    let pending = 0;
    for (const [, body] of registered) {
      expect(body).toHaveLength(0);
      try {
        await body.call({
          skip() {
            throw new Pending();
          },
        });
        passed += 1;
      } catch (error) {
        if (!(error instanceof Pending)) throw error;
        pending += 1;
      }
    }
    expect(passed).toBeGreaterThan(10);
    expect(pending).toBeGreaterThan(10);
  });
});

test("with a test function that cannot skip, what is skipped is said on the console", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  try {
    const tests: Promise<void>[] = [];
    testPlugin({ test: (_name, body) => tests.push(body()), name: "disk", factory: () => ram(1000), routes: ["directly"] });
    await Promise.all(tests);
    expect(warn.mock.calls.map(([text]) => text)).toContain(
      "SKIPPED disk: directly: trim is refused with ENOTSUP where the disk has none, and changes nothing: it has trim",
    );
  } finally {
    warn.mockRestore();
  }
});
