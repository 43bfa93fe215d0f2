// The nbd plugin: disks of other servers, seen through our client.

import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { plugins } from "../../src/cli/plugins.ts";
import { writeFlags, zeroFlags } from "../../src/contract/flags.ts";
import { pipe } from "../../src/contract/pipe.ts";
import {
  connect,
  type Disk,
  listExports,
  memory,
  type NbdOptions,
  type NbdTarget,
  nbd,
  openDisk,
  type Plugin,
  retry,
  serve,
} from "../../src/index.ts";
import { type Call, fakeClock, ram, recorded, testPlugin } from "../../src/testing/index.ts";
import { testHost } from "../cli/fixtures/host.ts";
import { runChild } from "../fixtures/child.ts";
import { nbdkit, qemuNbd } from "../fixtures/peers.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

/** A plugin that does everything, and a server of it that ends with the plugin. */
function serverOf(plugin: Plugin, through: (uri: string) => Plugin): Plugin {
  let inner: Plugin | undefined;
  let stop: (() => Promise<void>) | undefined;
  return {
    name: "with-server",
    async start(context) {
      const server = await serve(plugin);
      stop = () => server.close();
      inner = through(server.uri as string);
      await inner.start?.(context);
    },
    open: (request) => (inner as Plugin).open(request),
    async close() {
      await inner?.close?.();
      await stop?.();
    },
  };
}

describe.each([true, false])("the conformance suite, shared: %s", (shared) => {
  testPlugin({
    test,
    factory: () => serverOf(ram(512 * 1024), (uri) => nbd(uri, { shared })),
    expect: { write: true, flush: true, trim: true, zero: true, fastZero: true, extents: true, fua: "native", cache: "native" },
    routes: ["directly"],
  });
});

describe("what the server can do", () => {
  const everything: Plugin = {
    name: "everything",
    open: () => ({
      size: 2n ** 40n,
      description: "all of it",
      blockSize: { minimum: 512, preferred: 8192, maximum: 2 ** 20 },
      traits: { multiConn: true, rotational: true, fua: "native", fastZero: true },
      contexts: [{ name: "x-test:ages", extents: (offset, length) => [{ offset, length, status: 7n }] }],
      read: (target) => void target.fill(9),
      write() {},
      flush() {},
      trim() {},
      zero() {},
      cache() {},
      extents: (offset, length) => [{ offset, length, hole: true, zero: true }],
    }),
  };

  overEach((reach) => {
    test.each([true, false])("is passed through, shared: %s", async (shared) => {
      const { uri } = await served(reach, everything);
      await using disk = await openDisk(nbd(uri, { shared, contexts: ["x-test:ages"] }));
      expect(disk).toMatchObject({
        size: 2n ** 40n,
        description: "all of it",
        blockSize: { minimum: 512, preferred: 8192, maximum: 2 ** 20 },
      });
      expect(disk.capabilities).toMatchObject({
        ...{ write: true, flush: true, trim: true, zero: true, extents: true, fua: "native", fastZero: true },
        ...{ multiConn: true, rotational: true, cache: "native" },
      });
      expect(await disk.extents(0n, 2n ** 40n)).toEqual([{ offset: 0n, length: 2n ** 40n, hole: true, zero: true }]);
      expect(await disk.contexts[0]?.extents(0n, 4096n)).toEqual([{ offset: 0n, length: 4096n, status: 7n }]);
    });
  });

  test.each([true, false])("and no more than that, shared: %s", async (shared) => {
    const { uri } = await served("unix", { name: "little", open: () => ({ size: 512n, traits: { cache: "none" }, read() {} }) });
    await using disk = await openDisk(nbd(uri, { shared }));
    expect(disk.capabilities).toMatchObject({ write: false, flush: false, trim: false, fua: "none", cache: "none", multiConn: false });
  });

  test.each([true, false])("flags arrive, shared: %s", async (shared) => {
    const calls: Call[] = [];
    const { uri } = await served("unix", pipe(ram(8192), recorded("below", calls)));
    await using disk = await openDisk(nbd(uri, { shared }));
    await disk.write(new Uint8Array(512), 0n, writeFlags(true));
    await disk.zero(0n, 512n, zeroFlags(true, true, true));
    await disk.zero(0n, 512n);
    const seen = calls.filter(({ operation }) => operation === "write" || operation === "zero");
    expect(seen.map(({ operation, flags }) => [operation, flags])).toEqual([
      ["write", { fua: true }],
      ["zero", { fua: true, noHole: true, fastZero: true }],
      ["zero", { fua: false, noHole: false, fastZero: false }],
    ]);
  });

  test.each([true, false])("a client that may only read cannot write, shared: %s", async (shared) => {
    const { uri } = await served("unix", memory("64k"));
    await using disk = await openDisk(nbd(uri, { shared }), { readonly: true });
    expect(disk.capabilities.write).toBe(false);
  });

  test("errors keep their codes", async () => {
    const bad: Plugin = {
      name: "bad",
      open: () => ({
        size: 512n,
        read() {
          throw Object.assign(new Error("full"), { code: "ENOSPC" });
        },
      }),
    };
    const { uri } = await served("unix", bad);
    await using disk = await openDisk(nbd(uri));
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toMatchObject({ code: "ENOSPC" });
  });
});

describe("connections", () => {
  /** A server that counts those who come and go. */
  async function counting(): Promise<{ readonly uri: string; readonly open: () => number; readonly ever: () => number }> {
    let open = 0;
    let ever = 0;
    const plugin: Plugin = {
      name: "counting",
      open() {
        open += 1;
        ever += 1;
        return { size: 512n, read: (target) => void target.fill(ever), close };
        function close(): void {
          open -= 1;
        }
      },
    };
    return { uri: (await served("unix", plugin)).uri, open: () => open, ever: () => ever };
  }

  test("are one for each client, and gone with it", async () => {
    const { uri, open, ever } = await counting();
    const plugin = nbd(uri);
    const one = await openDisk(plugin);
    const other = await openDisk(plugin);
    expect(ever()).toBe(2);
    await one.close();
    await vi.waitFor(() => expect(open()).toBe(1));
    await other.read(new Uint8Array(1), 0n);
    await other.close();
    await vi.waitFor(() => expect(open()).toBe(0));
  });

  test("or one for all, until the plugin closes", async () => {
    const { uri, open, ever } = await counting();
    const plugin = nbd(uri, { shared: true });
    const one = await openDisk(plugin);
    const other = await openDisk(plugin);
    expect(ever()).toBe(1);
    await one.close();
    await other.read(new Uint8Array(1), 0n);
    expect(open()).toBe(1);
    await other.close();
    await vi.waitFor(() => expect(open()).toBe(0));
    await (await openDisk(plugin)).close();
    expect(ever()).toBe(2);
  });

  test("end when the client goes", async () => {
    const waiting: Plugin = {
      name: "waiting",
      open: ({ signal }) => ({ size: 1n, read: () => new Promise((_, reject) => signal.addEventListener("abort", reject)) }),
    };
    const { uri } = await served("unix", waiting);
    const controller = new AbortController();
    const disk = await openDisk(nbd(uri), { signal: controller.signal });
    const read = disk.read(new Uint8Array(1), 0n);
    controller.abort(new Error("gone"));
    await expect(read).rejects.toThrow("gone");
    await disk.close().catch(() => undefined);
  });

  test("a client that comes later gets a new one", async () => {
    const first = await serve(memory("1k"), { unix: join(tree(), "socket") });
    const uri = first.uri as string;
    const plugin = nbd(uri);
    const early = await openDisk(plugin);
    await first.close({ deadline: 0 });
    await expect(early.read(new Uint8Array(1), 0n)).rejects.toBeDefined();
    const second = await serve(memory("2k"), { unix: new URL(uri).searchParams.get("socket") as string });
    onTestFinished(() => second.close());
    await using late = await openDisk(plugin);
    expect(late.size).toBe(2048n);
    await early.close().catch(() => undefined);
  });
});

describe("retry", () => {
  test("tries so many times more, a second apart", async () => {
    const clock = fakeClock();
    const path = join(tree(), "socket");
    const opening = openDisk(nbd(`nbd+unix:///?socket=${path}`, { retry: 5, clock }));
    opening.catch(() => undefined);
    await clock.asleep();
    await clock.advance(1000);
    await clock.asleep();
    const server = await serve(memory("1k"), { unix: path });
    onTestFinished(() => server.close());
    await clock.advance(1000);
    await using disk = await opening;
    expect(disk.size).toBe(1024n);
  });

  test.each([true, false])("gives up in the end, with what went wrong, shared: %s", async (shared) => {
    const clock = fakeClock();
    const opening = openDisk(nbd(`nbd+unix:///?socket=${tree()}/none`, { retry: 1, shared, clock }));
    opening.catch(() => undefined);
    await clock.asleep();
    await clock.advance(1000);
    await expect(opening).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("dynamicExport", () => {
  test("has clients choose, from the server's list", async () => {
    const { uri } = await served("unix", { one: memory("1k"), "..": memory("2k"), "a/ü?#": memory("3k") });
    const { uri: proxy, uriOf } = await served("unix", nbd(uri, { dynamicExport: true }));
    expect((await listExports(proxy)).map(({ name }) => name)).toEqual(["one", "..", "a/ü?#"]);
    for (const [name, size] of [
      ["one", 1024n],
      ["..", 2048n],
      ["a/ü?#", 3072n],
    ] as const) {
      await using disk = await connect(uriOf(name));
      expect(disk.size).toBe(size);
    }
    await expect(connect(uriOf("two"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("without it every name is the export of the URI", async () => {
    const { uriOf } = await served("unix", { one: memory("1k"), two: memory("2k") });
    const { uriOf: proxied } = await served("unix", nbd(uriOf("two")));
    await using disk = await connect(proxied("any"));
    expect(disk.size).toBe(2048n);
  });
});

describe("what nbd() refuses", () => {
  test.each<[unknown, NbdOptions, string]>([
    ["nbds://host", {}, "TLS is not there yet"],
    ["nbd+vsock://2", {}, "no vsock sockets"],
    ["http://host", {}, "is no scheme of NBD"],
    ["nbd://host", { retry: -1 }, "option retry: -1 is not a whole number from 0"],
    ["nbd://host", { retry: 1.5 }, "option retry: 1.5"],
    [
      "nbd://host",
      { shared: true, dynamicExport: true },
      "option dynamicExport: clients that choose their exports need connections of their own: leave out shared",
    ],
    [{ fd: 3 }, { dynamicExport: true }, "use a URI"],
    [{ fd: 3 }, { shared: false }, "option shared:"],
    [{ fd: -1 }, {}, "option fd: -1 is not a file descriptor"],
    [{ command: [] }, {}, "option command: [] is not a list"],
    [{ command: "qemu-nbd" }, {}, 'option command: "qemu-nbd" is not a list'],
    [undefined, {}, "nbd(): undefined is neither"],
    [{}, {}, "option fd: undefined"],
  ])("%o %o", (target, options, message) => {
    expect(() => nbd(target as NbdTarget, options)).toThrow(message);
  });
});

describeWith(["qemu-nbd", "qemu-img"], "a command", () => {
  async function qcow2(): Promise<string> {
    const path = join(tree(), "disk.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "3M"]);
    return path;
  }

  test("is started, used by all clients, and ended", async () => {
    const path = await qcow2();
    const plugin = nbd({ command: ["qemu-nbd", "--format=qcow2", path] });
    {
      await using one = await openDisk(plugin);
      await using other = await openDisk(plugin);
      await one.write(Buffer.from("written"), 4096n);
      await one.flush();
      const target = Buffer.alloc(7);
      await other.read(target, 4096n);
      expect(target.toString()).toBe("written");
      expect(one.size).toBe(3n * 2n ** 20n);
    }
    // Ended, it has let go of its image.
    await run("qemu-img", ["check", "-q", path]);
    await using again = await openDisk(plugin);
    expect(again.size).toBe(3n * 2n ** 20n);
  });

  test("that fails says why, and leaves nothing behind", async () => {
    const folder = tree();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(openDisk(nbd({ command: ["qemu-nbd", "/no/such/image"] }))).rejects.toThrow(/^qemu-nbd: .*\/no\/such\/image/);
    await expect(openDisk(nbd({ command: ["no-such-server"] }))).rejects.toThrow(/^no-such-server: .*not found/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("an export of its", async () => {
    await using disk = await openDisk(nbd({ command: ["qemu-nbd", "--export-name=x", "--format=qcow2", await qcow2()], exportName: "x" }));
    expect(disk.size).toBe(3n * 2n ** 20n);
  });
});

test("a descriptor of a socket that is connected, once", async () => {
  const { server } = await served("tcp", memory("5k"));
  const address = server.address;
  if (address?.transport !== "tcp") throw new Error("no port");
  const socket = dial(address.port, "127.0.0.1");
  // Whoever is to use it is the only one who reads.
  socket.pause();
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const { stdout } = await runChild("plugins/fixtures/by-descriptor.ts", { stdio: ["ignore", "pipe", "pipe", socket] });
  expect(stdout).toMatch(/^5120\nfile descriptor 3 /);
});

describeWith(["nbdkit", "qemu-nbd", "qemu-img", "nbdcopy", "nbdinfo"], "other people's servers", () => {
  overEach((reach) => {
    test("nbdkit", async () => {
      const uri = await nbdkit(reach, ["data", "@32768 1 @1048576 2", "size=3M"]);
      await using disk = await openDisk(nbd(uri));
      expect(disk.size).toBe(3n * 2n ** 20n);
      const target = new Uint8Array(1);
      await disk.read(target, 32768n);
      expect(target[0]).toBe(1);
      expect((await disk.extents(0n, disk.size)).length).toBeGreaterThan(2);
    });

    test("qemu-nbd", async () => {
      const path = join(tree(), "disk.qcow2");
      await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "3M"]);
      const uri = await qemuNbd(reach, ["--format=qcow2", path], "x");
      await using disk = await openDisk(nbd(uri));
      await disk.write(new Uint8Array(65536).fill(1), 65536n);
      expect(await disk.extents(0n, 262144n)).toMatchObject([
        { hole: true },
        { offset: 65536n, length: 65536n, hole: false },
        { hole: true },
      ]);
    });
  });

  test("side by side with nbdkit's nbd plugin", async () => {
    const { uri, uriOf } = await served("unix", { "": memory("1M"), x: ram(Buffer.alloc(40_000, "x")) });
    {
      await using disk = await connect(uri);
      await disk.write(new Uint8Array(100_000).fill(7), 300_000n);
    }
    await expectSame(["nbd", uri]);
    await expectSame(["nbd", uriOf("x")]);
    await expectSame(["nbd", uri, "shared=true", "retry=2"]);
    const socket = new URL(uri).searchParams.get("socket") as string;
    await expectSame(["nbd", `socket=${socket}`, "export=x"]);
    await expectSame(["nbd", uri, "dynamic-export=true"], { exportName: "x" });
  });

  describe.each(["nbdkit", "diskwright"] as const)("a server that goes and comes back, by %s", (who) => {
    /** What a client that was there before, and one that comes afterwards, read then. */
    async function acrossRestart(
      filters: readonly string[],
      keys: readonly string[],
      plugin: (uri: string) => Plugin,
    ): Promise<readonly [before: string, later: string]> {
      const path = join(tree(), "far");
      const far = (letter: string) => serve(ram(Buffer.alloc(512, letter)), { unix: path });
      const first = await far("1");
      const near =
        who === "nbdkit"
          ? await nbdkit("unix", [...filters, "nbd", `socket=${path}`, ...keys])
          : (await served("unix", plugin(first.uri))).uri;
      const read = async (disk: Disk): Promise<string> => {
        const target = Buffer.alloc(1);
        await disk.read(target, 0n);
        return target.toString();
      };
      const before = await connect(near);
      onTestFinished(() => before.close().catch(() => undefined));
      expect(await read(before)).toBe("1");
      await first.close();
      const second = await far("2");
      onTestFinished(() => second.close());
      const soon = await read(before).catch(() => "fails");
      const later = await connect(near).then(
        async (disk) => {
          const answer = await read(disk).catch(() => "fails");
          await disk.close();
          return answer;
        },
        () => "is refused",
      );
      return [soon, later];
    }

    test("is found again by clients that come later, whatever retry= says", async () => {
      expect(await acrossRestart([], ["retry=2"], (uri) => nbd(uri, { retry: 2 }))).toEqual(["fails", "2"]);
    });

    test("is lost where the connection is shared", async () => {
      const [before, later] = await acrossRestart([], ["shared=true"], (uri) => nbd(uri, { shared: true }));
      expect([before, later]).not.toContain("2");
    });

    test("is found again by all under the retry filter", async () => {
      const found = await acrossRestart(["--filter=retry"], ["retry-delay=1"], (uri) => pipe(nbd(uri), retry({ delay: "10ms" })));
      expect(found).toEqual(["2", "2"]);
    });
  });

  test("side by side over TCP, and with a command", async () => {
    const { server } = await served("tcp", memory("1M"));
    const address = server.address as { port: number };
    await expectSame(["nbd", "hostname=127.0.0.1", `port=${address.port}`]);
    const path = join(tree(), "disk.img");
    writeFileSync(path, Buffer.alloc(300_000, 5));
    await expectSame(["nbd", "command=qemu-nbd", "arg=-f", "arg=raw", `arg=${path}`]);
  });
});

describe("on the command line", () => {
  async function refused(...args: string[]): Promise<string> {
    const host = testHost({ ...process.env });
    expect(await main(["serve", "-U", "-", "nbd", ...args, "--run", "true"], host, { plugins, filters: [] })).toBe(1);
    return host.printed.stderr;
  }

  test.each<[readonly string[], string]>([
    [[], "nbd: where the server is has to be said in one way, by uri=, hostname=, socket=, command= or socket-fd=: none of them was given"],
    [["nbd://h", "socket=/x"], "uri= and socket= were given"],
    [["hostname=h", "port=http"], 'nbd: port "http": expected a number from 1 to 65535'],
    [["hostname=h", "port=0"], 'nbd: port "0": expected'],
    [["socket=/x", "port=1"], "nbd: port= belongs to hostname="],
    [["socket=/x", "arg=1"], "nbd: arg= belongs to command="],
    [["nbd://h", "export=x"], "nbd: export= and uri= say the same"],
    [["hostname=h", "export=x", "dynamic-export=1"], "nbd: export= says what clients say"],
    [["nbd://h", "tls=require"], "nbd: tls=require: TLS is not there yet"],
    [["nbd://h", "tls-psk=/x"], "nbd: tls-psk=: TLS is not there yet"],
    [["vsock=2"], "nbd: vsock=: Node.js has no vsock sockets"],
    [["nbds://h"], "TLS is not there yet"],
    [["command=x", "shared=false"], "option shared:"],
    [["command=x", "dynamic-export=true"], "option dynamicExport:"],
  ])("%o is refused", async (args, message) => {
    expect(await refused(...args)).toContain(message);
  });
});
