// The exitwhen filter.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, test } from "vitest";
import {
  connect,
  type ExitWhenOptions,
  exitWhen,
  listExports,
  memory,
  openDisk,
  type Plugin,
  pipe,
  type Server,
  serve,
} from "../../src/index.ts";
import { type FakeClock, fakeClock, testFilter } from "../../src/testing/index.ts";
import { deferred } from "../fixtures/deferred.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { warning } from "../fixtures/warning.ts";

const disk = (options: ExitWhenOptions): Plugin => pipe(memory(512), exitWhen(options));

/** A server of such a disk on a private unix socket. */
async function server(options: ExitWhenOptions): Promise<Server & { readonly uri: string }> {
  const made = await serve(disk(options), { unix: true });
  onTestFinished(() => made.close({ deadline: 0 }));
  return made as Server & { readonly uri: string };
}

/** Lets the filter look again: its next look is a minute away. */
async function look(clock: FakeClock): Promise<void> {
  await clock.asleep();
  await clock.advance(60_000);
}

describe("exitwhen", () => {
  testFilter({ test, routes: ["directly"], filter: () => exitWhen({ when: new AbortController().signal }), transparent: true });

  it("does nothing by itself", async () => {
    await (await openDisk(disk({}))).close();
  });

  it("closes an idle server when a signal is aborted", async () => {
    const controller = new AbortController();
    const { closed } = await server({ when: controller.signal });
    controller.abort();
    await closed;
  });

  it("closes it when a promise settles, however that is", async () => {
    const [good, bad] = [deferred(), deferred()];
    const [one, two] = [await server({ when: good.promise }), await server({ when: bad.promise })];
    good.resolve();
    bad.reject(new Error("never mind"));
    await one.closed;
    await two.closed;
  });

  it("lets no more clients in, and waits for those that are there", async () => {
    const controller = new AbortController();
    const { uri, closed } = await server({ when: controller.signal });
    const client = await connect(uri);
    controller.abort();
    await expect(connect(uri)).rejects.toThrow();
    await expect(listExports(uri)).rejects.toThrow();
    await client.read(new Uint8Array(1), 0n);
    await client.close();
    await closed;
  });

  it("closes when a file is created", async () => {
    const clock = fakeClock();
    const file = join(tree(), "stop");
    const { closed } = await server({ fileCreated: file, clock });
    await look(clock);
    writeFileSync(file, "");
    await look(clock);
    await closed;
  });

  it("closes when a file is deleted", async () => {
    const clock = fakeClock();
    const file = join(tree({ stay: "" }), "stay");
    const { closed } = await server({ fileDeleted: ["/", file], clock });
    await look(clock);
    rmSync(file);
    await look(clock);
    await closed;
  });

  it("closes when a process ends", async () => {
    const clock = fakeClock();
    const child = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
    const { closed } = await server({ processExits: [process.pid, child.pid as number], clock });
    await look(clock);
    child.stdin.end();
    await once(child, "exit");
    await look(clock);
    await closed;
  });

  it("closes when a script says so", async () => {
    const file = join(tree(), "stop");
    const { uri, closed } = await server({ script: `[ ! -e ${file} ] || exit 88` });
    await (await connect(uri)).close();
    writeFileSync(file, "");
    await expect(connect(uri)).rejects.toThrow();
    await closed;
  });

  it("warns of a script that fails, and goes on", async () => {
    const { warned, made } = await warning(async () => ({ made: await server({ script: "echo no such thing >&2; exit 3" }) }));
    expect(warned).toEqual([
      "diskwright: looking whether to exit failed: the script ended with 3: expected 0, or 88 once it has happened\nno such thing\n",
    ]);
    await (await connect(made.uri)).close();
  });

  it("closes when the other end of a pipe is closed, at once", async () => {
    const path = join(tree(), "pipe");
    execFileSync("mkfifo", [path]);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, "w");
    const ending = exitWhen({ pipeClosed: fd });
    const [one, two] = [await serve(pipe(memory(512), ending), { unix: true }), await serve(pipe(memory(512), ending), { unix: true })];
    writeSync(writer, "whatever is written is no news");
    await (await connect(one.uri as string)).close();
    closeSync(writer);
    await one.closed;
    await two.closed;
  });

  it("looks when a client comes, and when the last one leaves", async () => {
    const clock = fakeClock();
    const file = join(tree(), "stop");
    const one = await server({ fileCreated: file, clock });
    const client = await connect(one.uri);
    writeFileSync(file, "");
    await client.close();
    await one.closed;
    expect(clock.now()).toBe(0);
  });

  it("closes at once when it has happened already", async () => {
    const made = await serve(disk({ fileCreated: "/" }), { unix: true });
    await made.closed;
  });

  it("closes each server of the disk, also one that comes later", async () => {
    const controller = new AbortController();
    const plugin = disk({ when: controller.signal });
    const made = [await serve(plugin, { unix: true }), await serve(plugin, { unix: true })];
    controller.abort();
    for (const { closed } of made) await closed;
    await (await serve(plugin, { unix: true })).closed;
  });

  it("is not in the way of a server that closes by itself", async () => {
    const clock = fakeClock();
    const made = await serve(disk({ fileCreated: "/nonexistent", when: new Promise(() => undefined), clock }), { unix: true });
    await clock.asleep();
    await made.close();
    expect(clock.sleepers).toBe(0);
  });

  it.each([
    [{ when: 5 }, "when 5: expected an AbortSignal or a promise"],
    [{ fileCreated: "" }, 'fileCreated "": expected a path'],
    [{ processExits: 0 }, "processExits 0: expected the number of a process"],
    [{ pipeClosed: -1 }, "pipeClosed -1: expected a file descriptor"],
    [{ poll: "soon" }, 'poll "soon": expected seconds'],
    [{ poll: 0 }, "poll 0: expected some time"],
  ])("refuses %j", (options, text) => expect(() => exitWhen(options as never)).toThrow(text));

  it("does not start with what is no pipe", async () => {
    await expect(openDisk(disk({ pipeClosed: 99_999 }))).rejects.toThrow("pipeClosed 99999: no pipe can be read there");
  });
});

describeWith(["nbdkit", "nbdinfo"], "exitwhen, side by side with nbdkit", () => {
  /** Asks until the server is gone. */
  const gone = 'for i in $(seq 300); do nbdinfo --size "$uri" >/dev/null 2>&1 || exit 0; sleep 0.02; done; exit 7';

  it.each([
    ["exit-when-file-created=FILE", "touch FILE"],
    ["exit-when-file-deleted=KEPT", "rm KEPT"],
    ["exit-when-script=[ ! -e FILE ] || exit 88", "touch FILE"],
  ])("%s", async (key, event) => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const root = tree({ kept: "" });
      const named = (text: string): string => text.replaceAll("FILE", join(root, "file")).replaceAll("KEPT", join(root, "kept"));
      const line = `nbdinfo --size "$uri" >/dev/null && ${named(event)} && ${gone}`;
      const { code, stderr } = await command(who, ["-U", "-", "--filter=exitwhen", "memory", "1M", named(key), "--run", line]);
      expect(code, `${who}: ${stderr}`).toBe(0);
    }
  });
});
