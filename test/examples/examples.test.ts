// The examples do what they say.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/index.ts";
import { describeWith } from "../fixtures/tools.ts";

const folder: string = join(import.meta.dirname, "../../examples");
const execute = promisify(execFile);

/** What an example prints. */
async function run(name: string): Promise<string> {
  const { stdout, stderr } = await execute(process.execPath, [join(folder, name)]);
  expect(stderr).toBe("");
  return stdout;
}

describe("01-first-disk.mjs", () => {
  test("serves a disk that keeps what is written, until Ctrl-C", async () => {
    const child = spawn(process.execPath, [join(folder, "01-first-disk.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    const uri = /nbdinfo '(.*)'/.exec(line)?.[1] ?? "";
    const disk = await connect(uri);
    expect(disk.size).toBe(64n * 1024n * 1024n);
    await disk.write(Buffer.from("kept"), 4096n);
    const target = Buffer.alloc(4);
    await disk.read(target, 4096n);
    expect(target.toString()).toBe("kept");
    await disk.close();
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

describeWith(["nbdinfo"], "01-first-disk.mjs and nbdinfo", () => {
  test("the command that it prints works", async () => {
    const child = spawn(process.execPath, [join(folder, "01-first-disk.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    const { stdout } = await execute("sh", ["-c", line.replace("Try: ", "")]);
    expect(stdout).toContain("export-size: 67108864");
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

test("02-plugin.mjs: every sector says its own number", async () => {
  expect(await run("02-plugin.mjs")).toBe("sector 1000000\n");
});

test("03-filter.mjs: what is below is what was written, inverted", async () => {
  const hex = Buffer.from("secret").toString("hex");
  const inverted = Buffer.from("secret").map((byte) => ~byte);
  expect(await run("03-filter.mjs")).toBe(`${hex}\n${Buffer.from(inverted).toString("hex")}\n`);
});

test("04-in-process.mjs: a huge disk is empty but for what was written", async () => {
  expect(await run("04-in-process.mjs")).toMatch(
    /^hello at 4611686018427387904 of 9223372036854775807 bytes\nhole: 65536 bytes at .*\ndata: \d+ bytes at 4611686018427387904\nhole: \d+ bytes at .*\n$/,
  );
});

test("every example is tested here", () => {
  const tests = readFileSync(import.meta.filename, "utf8");
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".mjs"))) expect(tests).toContain(`"${name}`);
});
