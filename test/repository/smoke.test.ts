// The smoke tests, which CI also runs on other versions of Node, on this one.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root: string = join(import.meta.dirname, "../..");
const files: string[] = readdirSync(join(root, "test/smoke")).map((name) => join("test/smoke", name));

test(`the package works on Node ${process.version}`, () => {
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], { cwd: root, encoding: "utf8" });
  expect(status, stdout).toBe(0);
  expect(stdout).toMatch(/pass [1-9]/);
});
