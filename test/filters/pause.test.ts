// The pause filter.

import { existsSync, readFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { openDisk, pause, pipe } from "../../src/index.ts";
import { type Call, classRam, faulty, hold, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Connects to a control socket; `ask` sends commands and answers with as many bytes of answers. */
async function controller(path: string): Promise<{ readonly socket: Socket; ask(commands: string, answers?: number): Promise<string> }> {
  const socket = createConnection(path);
  let heard = "";
  let wake = (): void => undefined;
  socket.on("data", (chunk) => {
    heard += String(chunk);
    wake();
  });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return {
    socket,
    async ask(commands, answers = commands.length) {
      socket.write(commands);
      while (heard.length < answers) await new Promise<void>((resolve) => (wake = resolve));
      const answer = heard;
      heard = "";
      return answer;
    },
  };
}

describe("pause", () => {
  describe("that goes on", () => {
    testFilter({ test, filter: () => pause(), transparent: true });
  });

  it("has every request wait, and makes them when it is resumed", async () => {
    const calls: Call[] = [];
    const brake = pause();
    await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), brake));
    calls.length = 0;
    await brake.pause();
    expect(brake.paused).toBe(true);
    const all = Promise.all([
      disk.read(new Uint8Array(1), 0n),
      disk.write(new Uint8Array(1), 0n),
      disk.flush(),
      disk.trim(0n, 1n),
      disk.zero(0n, 1n),
      disk.extents(0n, 1n),
      disk.cache(0n, 1n),
    ]);
    await turn();
    expect(calls).toEqual([]);
    brake.resume();
    expect(brake.paused).toBe(false);
    await all;
    expect(calls.map(({ operation }) => operation)).toEqual(["read", "write", "flush", "trim", "zero", "extents", "cache"]);
  });

  it("waits for the requests that had begun", async () => {
    const brake = pause();
    const held = hold("write");
    await using disk = await openDisk(pipe(ram(4096), faulty(held), brake));
    const writing = disk.write(new Uint8Array(1), 0n);
    await held.arrived;
    let quiet = false;
    const pausing = brake.pause().then(() => (quiet = true));
    await turn();
    expect(quiet).toBe(false);
    held.release();
    await writing;
    await pausing;
    brake.resume();
  });

  it("holds back who wakes up when it is paused again", async () => {
    const calls: Call[] = [];
    const brake = pause();
    await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), brake));
    await brake.pause();
    calls.length = 0;
    const reading = disk.read(new Uint8Array(1), 0n);
    brake.resume();
    await brake.pause();
    await turn();
    expect(calls).toEqual([]);
    brake.resume();
    await reading;
  });

  it("lends bytes, but not while it is paused, and no room", async () => {
    const brake = pause();
    await using disk = await openDisk(pipe(ram(4096), brake));
    expect(disk.views?.(0n, 1)).toHaveLength(1);
    await brake.pause();
    expect(disk.views?.(0n, 1)).toBeUndefined();
    expect(disk.room).toBeUndefined();
    brake.resume();
  });

  it("answers at once when the disk does", async () => {
    await using disk = await openDisk(pipe(ram(4096), pause()));
    expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
    expect(disk.flush()).toBeUndefined();
  });

  it("lets go of who waits when the client goes", async () => {
    const abort = new AbortController();
    const brake = pause();
    const disk = await openDisk(pipe(classRam(new Uint8Array(512)), brake), { signal: abort.signal });
    await brake.pause();
    const reading = disk.read(new Uint8Array(1), 0n);
    abort.abort(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
    await disk.close();
  });

  it("is controlled by a socket, which is gone when the disk is closed", async () => {
    const control = join(tree(), "control");
    const brake = pause({ control });
    const disk = await openDisk(pipe(ram(4096), brake));
    const { ask, socket } = await controller(control);
    expect(await ask("p")).toBe("P");
    expect(brake.paused).toBe(true);
    const reading = disk.read(new Uint8Array(1), 0n);
    expect(await ask("r\n", 1)).toBe("R");
    await reading;
    expect(await ask("pq?r p r", 6)).toBe("PXXRPR");
    await disk.close();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(existsSync(control)).toBe(false);
  });

  it("answers P when the requests that had begun are done", async () => {
    const control = join(tree(), "control");
    const held = hold("write");
    const brake = pause({ control });
    await using disk = await openDisk(pipe(ram(4096), faulty(held), brake));
    const { ask } = await controller(control);
    const writing = disk.write(new Uint8Array(1), 0n);
    await held.arrived;
    const asked = ask("p");
    while (!brake.paused) await turn();
    held.release();
    expect(await asked).toBe("P");
    await writing;
    brake.resume();
  });

  it("stays paused when who paused it has left", async () => {
    const control = join(tree(), "control");
    const brake = pause({ control });
    await using _disk = await openDisk(pipe(ram(512), brake));
    const { socket, ask } = await controller(control);
    await ask("p");
    socket.destroy();
    await turn();
    expect(brake.paused).toBe(true);
    const { ask: another } = await controller(control);
    expect(await another("r")).toBe("R");
  });

  it("pauses all disks that it is laid over, by one socket", async () => {
    const control = join(tree(), "control");
    const brake = pause({ control });
    const [one, two] = [await openDisk(pipe(ram(512), brake)), await openDisk(pipe(ram(512), brake))];
    await one.close();
    const { ask } = await controller(control);
    await ask("p");
    const reading = two.read(new Uint8Array(1), 0n);
    await ask("r");
    await reading;
    await two.close();
    expect(existsSync(control)).toBe(false);
  });

  it("does not take a socket away from somebody who listens", async () => {
    const control = join(tree(), "control");
    const other = createServer().listen(control);
    await new Promise((resolve) => other.once("listening", resolve));
    await expect(openDisk(pipe(ram(512), pause({ control })))).rejects.toThrow("EADDRINUSE");
    await new Promise((resolve) => other.close(resolve));
  });

  it("refuses what is no path", () => expect(() => pause({ control: "" })).toThrow('control "": expected the path of a socket'));
});

describeWith(["nbdkit", "python3"], "pause, side by side with nbdkit", () => {
  it("the same answers to the same commands", async () => {
    const heard: string[] = [];
    for (const who of ["nbdkit", "diskwright"] as const) {
      const root = tree({
        "ask.py": `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.send(b"pprx\\n?pr\\n")
got = b""
while len(got) < 7: got += s.recv(10)
open(sys.argv[2], "wb").write(got)
`,
      });
      const line = ["-U", "-", "--filter=pause", "memory", "1M", `pause-control=${root}/control`];
      const { code, stderr } = await command(who, [...line, "--run", `python3 ${root}/ask.py ${root}/control ${root}/heard`]);
      expect(code, stderr).toBe(0);
      heard.push(readFileSync(join(root, "heard"), "utf8"));
    }
    expect(heard).toEqual(["PPRXXPR", "PPRXXPR"]);
  });
});
