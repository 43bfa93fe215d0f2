// Real clients in trouble: killed in the middle, cut off by the server, told of failures. The server lives on, and nobody hangs.

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { DiskError, type Plugin, pipe } from "../../src/contract/index.ts";
import { type Server, serve } from "../../src/server/index.ts";
import { noise } from "../fixtures/bytes.ts";
import { type Deferred, deferred } from "../fixtures/deferred.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { late, ram, when } from "../fixtures/ram.ts";
import { run, start } from "../fixtures/run.ts";
import { listenOn, overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024 * 1024;
const GiB = 1024n ** 3n;

interface Endless extends Plugin {
  /** Settles when so many requests have come that the client is in the middle of something. */
  readonly busy: Promise<void>;
  /** Settles when the disk of a client has been closed. */
  readonly left: Promise<void>;
}

/** A disk so large that no copy of it comes to an end. Its requests are answered when `answer` settles. */
function endless(answer: (signal: AbortSignal) => void | Promise<void> = () => undefined): Endless {
  const busy: Deferred = deferred();
  const left: Deferred = deferred();
  let requests = 0;
  const request = (signal: AbortSignal): void | Promise<void> => {
    requests += 1;
    if (requests === 100) busy.resolve();
    return answer(signal);
  };
  return {
    name: "endless",
    busy: busy.promise,
    left: left.promise,
    open: ({ signal }) => ({
      size: 1024n * GiB,
      traits: { multiConn: true },
      read: (target) => {
        target.fill(1);
        return request(signal);
      },
      write: () => request(signal),
      close: () => left.resolve(),
    }),
  };
}

/** Answers in a turn of its own. */
const inAWhile = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Answers only when it is told to stop. */
const untilAborted = async (signal: AbortSignal): Promise<void> => {
  await once(signal, "abort");
  signal.throwIfAborted();
};

const milliseconds = async (work: Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await work;
  return performance.now() - from;
};

/** The clients that are killed and cut off: what they run, given the URI. */
const clients: readonly (readonly [name: string, program: string, args: (uri: string) => readonly string[]])[] = [
  ["nbdcopy while it reads", "nbdcopy", (uri) => ["--connections=4", uri, "null:"]],
  ["nbdcopy while it reads and writes", "nbdcopy", (uri) => ["--connections=4", "--requests=16", uri, uri]],
  ["qemu-img while it reads", "qemu-img", (uri) => ["bench", "-f", "raw", "-c", "100000000", "-d", "32", uri]],
  ["fio while it writes", "fio", (uri) => fio(uri, "--rw=write", "--bs=1M", "--iodepth=8")],
];

function fio(uri: string, ...options: readonly string[]): string[] {
  return ["--name=job", "--ioengine=nbd", `--uri=${uri}`, "--thread", "--size=1G", "--loops=1000", ...options];
}

describeWith(["nbdcopy", "nbdinfo", "nbdsh", "qemu-img", "fio"], "in trouble", () => {
  overEach((reach) => {
    it.each(clients)("%s is killed: its disk is closed, and the next client is served", async (_, program, args) => {
      const disk = endless(inAWhile);
      const { uri, server } = await served(reach, disk);
      const client = start(program, args(uri), { cwd: tree() });
      await disk.busy;
      client.kill("SIGKILL");
      await client.ended;
      await disk.left;
      const { stdout } = await run("nbdinfo", ["--size", uri]);
      expect(stdout.trim()).toBe(String(1024n * GiB));
      expect(await milliseconds(server.close())).toBeLessThan(4000);
    });

    it.each(clients)("%s is cut off: it ends with an error, and the server within its deadline", async (_, program, args) => {
      const disk = endless(inAWhile);
      const { uri, server } = await served(reach, disk);
      const client = start(program, args(uri), { cwd: tree() });
      await disk.busy;
      expect(await milliseconds(server.close({ deadline: 500 }))).toBeLessThan(4000);
      const { status, stdout, stderr } = await client.ended;
      expect(status).toBeGreaterThan(0);
      expect(stdout + stderr).toMatch(/shutdown|closed|reset|broken pipe|error|failed/i);
    });

    it("a client whose requests never end is cut off at the deadline", async () => {
      const disk = endless(untilAborted);
      const { uri, server } = await served(reach, disk);
      const client = start("nbdcopy", ["--connections=1", "--requests=128", "--request-size=4096", "--queue-size=1048576", uri, "null:"]);
      await disk.busy;
      expect(await milliseconds(server.close({ deadline: 300 }))).toBeLessThan(4000);
      const { status, stderr } = await client.ended;
      expect(status).toBe(1);
      expect(stderr).toMatch(/shutdown/i);
    });

    it("a disk whose requests do not even end when they are told to is named, and holds nobody up", async () => {
      const disk = endless(() => new Promise(() => undefined));
      const server = await serve(disk, listenOn(reach));
      const uri = server.uri as string;
      const client = start("nbdcopy", ["--connections=1", "--requests=128", "--request-size=4096", "--queue-size=1048576", uri, "null:"]);
      await disk.busy;
      const closing = server.close({ deadline: 100 });
      await expect(closing).rejects.toMatchObject({ code: "ETIMEDOUT", message: expect.stringMatching(/requests did not end/) });
      expect((await client.ended).status).toBe(1);
    });

    it("clients that do nothing do not hold up the server", async () => {
      const { uri, server } = await served(reach, ram(MiB));
      const { address } = server as Server & { address: { path?: string; port: number } };
      // One that has not even begun to negotiate.
      const silent = address.path === undefined ? connect(address.port, "127.0.0.1") : connect(address.path);
      onTestFinished(() => void silent.destroy());
      await once(silent, "data");
      // And one that has, and waits.
      const ready = deferred();
      server.closed.catch(() => undefined);
      const idle = start("nbdsh", ["-u", uri, "-c", 'print("ready", flush=True)', "-c", "while not h.aio_is_closed(): h.poll(-1)"]);
      void idle.wrote(/ready/).then(() => ready.resolve(), ready.reject);
      await ready.promise;
      expect(server.connections).toBe(2);
      const gone = once(silent, "close");
      silent.resume();
      expect(await milliseconds(server.close({ deadline: 10_000 }))).toBeLessThan(4000);
      await idle.ended;
      await gone;
    });

    it("a client that stops taking its replies holds up nobody else, and finds all of them when it goes on", async () => {
      const bytes = noise(64 * MiB);
      const busy = deferred();
      let requests = 0;
      const disk = when((operation) => {
        if (operation !== "read") return;
        requests += 1;
        if (requests === 20) busy.resolve();
      });
      const { uri } = await served(reach, pipe(ram(bytes), disk));
      const to = join(tree(), "to.img");
      const client = start("nbdcopy", [uri, to]);
      await busy.promise;
      client.kill("SIGSTOP");
      await run("nbdinfo", [uri]);
      await run("nbdcopy", [uri, "null:"]);
      client.kill("SIGCONT");
      expect((await client.ended).status).toBe(0);
      await run("cmp", [to, "-"], { input: bytes });
    });

    it.each([
      ["at once", undefined],
      ["late", late(2)],
    ])("a disk that fails some reads, %s: every tool ends with an error that says so", async (_, delay) => {
      const bad = when((operation, offset, length) => {
        if (operation === "read" && offset <= 5_000_000n && offset + length > 5_000_000n) throw new DiskError("EIO", "bad sector");
      });
      const plugin = pipe(ram(noise(16 * MiB)), bad, ...(delay === undefined ? [] : [delay]));
      const { uri } = await served(reach, plugin);
      const folder = tree();
      const copy = await run("nbdcopy", [uri, join(folder, "copy")], { status: 1 });
      expect(copy.stderr).toContain("Input/output error");
      const convert = await run("qemu-img", ["convert", "-f", "raw", "-O", "raw", uri, join(folder, "converted")], { status: 1 });
      expect(convert.stderr).toContain("Input/output error");
      const { status, stderr } = await run("fio", fio(uri, "--rw=read", "--bs=64k", "--size=16M"), { status: "any", cwd: folder });
      expect(status).not.toBe(0);
      expect(stderr).toContain("Input/output error");
      await run("nbdinfo", [uri]);
    });

    it("a disk that is full: what writes to it ends with an error that says so, and what was there before is still there", async () => {
      const full = when((operation, offset) => {
        if (operation === "write" && offset >= BigInt(8 * MiB)) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      });
      const from = join(tree(), "from.img");
      writeFileSync(from, noise(16 * MiB, 2));
      const disk = ram(noise(16 * MiB));
      const { uri } = await served(reach, pipe(disk, full, late(1)));
      expect((await run("nbdcopy", [from, uri], { status: 1 })).stderr).toContain("No space left on device");
      const convert = await run("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", from, uri], { status: 1 });
      expect(convert.stderr).toContain("No space left on device");
      expect(disk.bytes.subarray(8 * MiB).equals(noise(16 * MiB).subarray(8 * MiB))).toBe(true);
    });

    it("a disk that cannot be opened at first can be later", async () => {
      let spinning = false;
      const disk = ram(MiB);
      const moody: Plugin = {
        name: "moody",
        open(request) {
          if (!spinning) throw new DiskError("EIO", "the array is still spinning up");
          return disk.open(request);
        },
      };
      const { uri } = await served(reach, moody);
      expect((await run("qemu-img", ["info", uri], { status: 1 })).stderr).toContain("the array is still spinning up");
      spinning = true;
      await run("qemu-img", ["info", uri]);
    });

    it("a client too many is turned away, and let in when another has left", async () => {
      const { uri } = await served(reach, ram(MiB), { limits: { connections: 2 } });
      const script = `
        first, second, third = nbd.NBD(), nbd.NBD(), nbd.NBD()
        first.connect_uri(uri)
        second.connect_uri(uri)
        result["third"] = failure(third.connect_uri, uri) is not None
        first.pread(512, 0)
        first.shutdown()
        fourth = nbd.NBD()
        while failure(fourth.connect_uri, uri) is not None:
            fourth = nbd.NBD()
        fourth.pread(512, 0)
        second.pread(512, 0)
      `;
      expect(await nbdsh(uri, script)).toEqual({ third: true });
    });
  });
});
