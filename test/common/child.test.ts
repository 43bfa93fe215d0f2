// Child processes: what they are given and give, and that none of them outlives those who wanted it.

import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { Pipes } from "../../src/common/child/pipes.ts";
import { type ChildOptions, type ChildResult, pipesIn, runChild, startChild } from "../../src/common/child.ts";
import { startChild as startParent } from "../fixtures/child.ts";
import { tree } from "../fixtures/tree.ts";

/** Runs a shell script. */
function sh(script: string, options?: ChildOptions): Promise<ChildResult> {
  return runChild("/bin/sh", ["-c", script], options);
}

/** The process ids in a file that a script writes. */
async function idsIn(file: string): Promise<number[]> {
  await vi.waitFor(() => expect(existsSync(file) && readFileSync(file, "utf8").endsWith("\n")).toBe(true), {
    timeout: 10_000,
    interval: 10,
  });
  return readFileSync(file, "utf8").trim().split(" ").map(Number);
}

/** Whether a process still runs: one that has ended and that nobody has asked about (Z) does not. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function allEnd(pids: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter(runs)).toEqual([]), { timeout: 10_000, interval: 10 });
}

describe("runChild", () => {
  test("gives what the child wrote, and how it ended", async () => {
    const { code, signal, stdout, stderr } = await sh("echo out; echo err >&2; exit 3");
    expect([code, signal, stdout.toString(), stderr]).toEqual([3, null, "out\n", "err\n"]);
    expect(await sh("kill -9 $$")).toMatchObject({ code: null, signal: "SIGKILL" });
  });

  test("feeds it its input", async () => {
    const input = new Uint8Array(3_000_000).fill(7);
    const { stdout } = await runChild("cat", [], { input });
    expect(stdout.equals(input)).toBe(true);
    expect((await runChild("cat", [], { input: "text" })).stdout.toString()).toBe("text");
    expect((await runChild("cat", [])).stdout.length).toBe(0);
  });

  test("does not mind an input that is not read", async () => {
    const input = new Uint8Array(3_000_000);
    expect(await sh("exit 0", { input })).toMatchObject({ code: 0 });
    expect(await sh("exec <&-; echo done", { input })).toMatchObject({ code: 0 });
    expect((await sh("head -c 5 | wc -c", { input })).stdout.toString().trim()).toBe("5");
  });

  test("sets variables, takes some away, and leaves the others", async () => {
    const { stdout } = await sh(`echo "$ONE,\${HOME+there},\${PATH:+there}"`, { env: { ONE: "1", HOME: undefined } });
    expect(stdout.toString()).toBe("1,,there\n");
  });

  test("writes to a file where it is given one", async () => {
    const path = join(tree(), "file");
    const fd = openSync(path, "w");
    const { stdout } = await sh("echo out", { output: fd, maxOutput: 1 });
    closeSync(fd);
    expect([stdout.length, readFileSync(path, "utf8")]).toEqual([0, "out\n"]);
  });

  test("runs it where it is told to", async () => {
    const cwd = realpathSync(tree());
    expect((await sh("pwd", { cwd })).stdout.toString()).toBe(`${cwd}\n`);
  });

  test("takes as much output as allowed", async () => {
    const { stdout } = await sh("head -c 100000 /dev/zero", { maxOutput: 100_000 });
    expect(stdout.length).toBe(100_000);
  });

  test("ends a child that writes more than that", async () => {
    await expect(sh("yes", { maxOutput: 100_000 })).rejects.toMatchObject({
      code: "EOVERFLOW",
      message: "/bin/sh wrote more than the 100000 bytes that were expected of it",
    });
  });

  test("keeps the first 64 KiB of what it says, and reads on", async () => {
    const { code, stderr } = await sh("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1");
    expect([code, stderr.length]).toEqual([1, 65_536]);
  });

  test.each<[string, ChildOptions, string, string]>([
    ["no-such-program", {}, "ENOENT", "cannot run no-such-program: there is no such program"],
    ["/etc/passwd", {}, "EACCES", "cannot run /etc/passwd: it may not be executed"],
    ["true", { cwd: "/no/such/folder" }, "ENOENT", "cannot run true: there is no such program, or no folder /no/such/folder"],
    ["tr\0ue", {}, "ERR_INVALID_ARG_VALUE", "cannot run tr\0ue: "],
  ])("cannot start %s %o", async (program, options, code, message) => {
    await expect(runChild(program, [], options)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test("is ended, with all that it started, when it takes too long", async () => {
    const ids = join(tree(), "ids");
    const late = sh(`sleep 1000 & echo "$$ $!" > ${ids}; wait`, { timeout: 300 });
    await expect(late).rejects.toMatchObject({ code: "ETIMEDOUT", message: "/bin/sh had not ended after 300 ms" });
    await allEnd(await idsIn(ids));
  });

  test("is ended, with all that it started, when it is not wanted any more", async () => {
    const ids = join(tree(), "ids");
    const controller = new AbortController();
    const running = sh(`sleep 1000 & echo "$$ $!" > ${ids}; wait`, { signal: controller.signal });
    const pids = await idsIn(ids);
    controller.abort(new Error("the client is gone"));
    await expect(running).rejects.toThrow("the client is gone");
    await allEnd(pids);
  });

  test("is made to end when it does not listen", async () => {
    const ids = join(tree(), "ids");
    const controller = new AbortController();
    const running = sh(`trap '' TERM; echo $$ > ${ids}; while :; do sleep 1000; done`, { signal: controller.signal });
    const pids = await idsIn(ids);
    controller.abort();
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    expect(pids.filter(runs)).toEqual([]);
  });

  test("is over when its output is, also that of what it left running; and can be ended then", async () => {
    const ids = join(tree(), "ids");
    const controller = new AbortController();
    const running = sh(`sleep 1000 & echo "$!" > ${ids}`, { signal: controller.signal });
    const pids = await idsIn(ids);
    controller.abort(new Error("enough"));
    await expect(running).rejects.toThrow("enough");
    await allEnd(pids);
  });

  test("is not started when nobody wants it", async () => {
    const file = join(tree(), "file");
    await expect(sh(`touch ${file}`, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    expect(existsSync(file)).toBe(false);
  });

  test("leaves no listener, descriptor or zombie behind", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await sh("true", { signal });
    const descriptors = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
    const before = descriptors();
    const listeners = process.listenerCount("exit");
    for (let i = 0; i < 20; i += 1) await sh("cat; exit 1", { signal, input: "x", timeout: 60_000 });
    await expect(runChild("no-such-program", [], { signal })).rejects.toThrow();
    await vi.waitFor(() => expect(descriptors()).toBe(before));
    expect(process.listenerCount("exit")).toBe(listeners);
    expect(added.mock.calls.length).toBe(21);
    expect(removed.mock.calls.length).toBe(21);
  });
});

describe.skipIf(process.platform === "win32")("with pipes", () => {
  function pipes(): Pipes {
    return pipesIn(join(tree(), "pipes"));
  }

  test("reads and writes as without", async () => {
    const supply = pipes();
    const input = new Uint8Array(3_000_000).fill(7);
    for (let i = 0; i < 3; i += 1) {
      const { code, stdout, stderr } = await sh("cat; echo err >&2; exit 3", { input, pipes: supply });
      expect([code, stdout.equals(input), stderr]).toEqual([3, true, "err\n"]);
    }
    expect((await sh("cat", { pipes: supply })).stdout.length).toBe(0);
    expect(await sh("exec <&-; echo done", { input, pipes: supply })).toMatchObject({ code: 0 });
    await expect(sh("yes", { maxOutput: 100_000, pipes: supply })).rejects.toMatchObject({ code: "EOVERFLOW" });
  });

  test("many at once do not mix", async () => {
    const supply = pipes();
    const results = await Promise.all(Array.from({ length: 40 }, (_, i) => sh("cat", { input: `${i}`, pipes: supply })));
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`));
  });

  test("leaves no descriptor behind, also when the child cannot be started or is ended", async () => {
    const supply = pipes();
    await sh("true", { pipes: supply });
    const descriptors = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
    const before = descriptors();
    for (let i = 0; i < 20; i += 1) await sh("exit 1", { input: "x", pipes: supply });
    await expect(runChild("no-such-program", [], { input: "x", pipes: supply })).rejects.toMatchObject({ code: "ENOENT" });
    await expect(sh("sleep 1000 & wait", { timeout: 50, pipes: supply })).rejects.toMatchObject({ code: "ETIMEDOUT" });
    await vi.waitFor(() => expect(descriptors()).toBe(before));
  });

  test("says when there can be none", async () => {
    const supply = pipesIn("/no/such/folder/pipes");
    expect(await supply.ready()).toBe(false);
    await expect(sh("true", { pipes: supply })).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("startChild", () => {
  test("runs until it is stopped", async () => {
    const ids = join(tree(), "ids");
    const child = await startChild("/bin/sh", ["-c", `echo $$ > ${ids}; exec sleep 1000`]);
    expect(await idsIn(ids)).toEqual([child.pid]);
    await Promise.all([child.stop(), child.stop()]);
    expect(runs(child.pid)).toBe(false);
    expect(await child.ended).toMatchObject({ code: null, signal: "SIGTERM" });
    await child.stop();
  });

  test("tells when it ends by itself, and what it said", async () => {
    const child = await startChild("/bin/sh", ["-c", "echo lost; echo why >&2; exit 4"]);
    expect(await child.ended).toMatchObject({ code: 4, stderr: "why\n", stdout: Buffer.alloc(0) });
    await child.stop();
  });
});

describe.skipIf(process.platform === "win32")("a child of a process that ends", () => {
  test.each<[string, NodeJS.Signals | undefined]>([
    ["exit", undefined],
    ["throw", undefined],
    ["run", "SIGTERM"],
    ["start", "SIGINT"],
    ["run", "SIGKILL"],
    ["start", "SIGKILL"],
  ])("by %s %s ends too", async (way, signal) => {
    const ids = join(tree(), "ids");
    const parent = await startParent("common/fixtures/parent.ts", { args: [way, ids], stdio: ["ignore", "pipe", "ignore"] });
    const exited = once(parent, "exit");
    if (parent.stdout !== null) await once(parent.stdout, "data");
    const pids = await idsIn(ids);
    expect(pids.length).toBe(2);
    if (signal !== undefined) {
      expect(pids.filter(runs)).toEqual(pids);
      parent.kill(signal);
    }
    await exited;
    await allEnd(pids);
  });
});
