// `diskwright serve` as a process: where it listens, what ends it, what it leaves behind.

import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { buildWithDoubles, diskwright, nbdsh, program, type Running, run, start, startDiskwright } from "./fixtures/command.ts";
import { doubles as catalogue } from "./fixtures/doubles.ts";
import { testHost } from "./fixtures/host.ts";

let doubles: Awaited<ReturnType<typeof buildWithDoubles>>;
beforeAll(async () => {
  doubles = await buildWithDoubles();
});
afterAll(() => doubles.remove());

/** Serves, and waits until it can be connected to. */
async function serving(...args: string[]): Promise<{ running: Running; uri: string }> {
  const running = startDiskwright(["serve", "--print-uri", ...args]);
  const [, uri = ""] = await running.line("stdout", /^(nbd\S*)\n/);
  return { running, uri };
}

const skip: typeof describeWith = (_, name, tests) => void describe.skip(name, tests);

describe("listening", () => {
  it("prints a URI, on a line of its own, once it can be connected to", async () => {
    const directory = tree();
    const { running, uri } = await serving("-U", join(directory, "it's"), "memory", "1M");
    expect(uri).toBe(`nbd+unix:///?socket=${directory}/it%27s`);
    const client = createConnection(join(directory, "it's"));
    const [greeting] = (await once(client, "data")) as [Buffer];
    expect(greeting.toString("latin1", 0, 16)).toBe("NBDMAGICIHAVEOPT");
    client.destroy();
    running.child.kill();
    const { code, stdout, stderr } = await running.outcome;
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`${uri}\n# Try it with: nbdinfo ${`'${uri}'`}\n`);
    expect(existsSync(join(directory, "it's"))).toBe(false);
  });

  it("picks a free port for -p 0", async () => {
    const { uri } = await serving("-4", "-p", "0", "memory", "1M");
    const client = createConnection(Number(new URL(uri).port), "127.0.0.1");
    await once(client, "data");
    client.destroy();
  });

  it("takes a name for -i, and -4 or -6 say which of its addresses", async () => {
    expect((await serving("-4", "-i", "localhost", "-p", "0", "memory", "1M")).uri).toMatch(/^nbd:\/\/127\.0\.0\.1:/);
    const { code, stderr } = await diskwright(["serve", "-6", "-i", "127.0.0.1.nosuch.invalid", "-p", "0", "memory", "1M"]);
    expect(code).toBe(1);
    expect(stderr).toContain("diskwright: --ipaddr 127.0.0.1.nosuch.invalid: it has no IPv6 address");
  });

  it("says which path is in use, and leaves it to who uses it", async () => {
    const path = join(tree(), "socket");
    const { running } = await serving("-U", path, "memory", "1M");
    const { code, stderr } = await diskwright(["serve", "-U", path, "memory", "1M"]);
    expect(code).toBe(1);
    expect(stderr).toContain(path);
    expect(existsSync(path)).toBe(true);
    expect(running.child.exitCode).toBeNull();
  });

  it("never takes a file for a socket that nobody uses", async () => {
    const path = join(tree({ "disk.img": "precious" }), "disk.img");
    expect(await diskwright(["serve", "-U", path, "memory", "1M"])).toMatchObject({ code: 1, stdout: "" });
    expect(readFileSync(path, "utf8")).toBe("precious");
  });
});

describe("the end", () => {
  it.each(["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"] as const)("comes with %s and code 0, also with an idle client", async (signal) => {
    const { running, uri } = await serving("-U", "-", "memory", "1M");
    const client = createConnection(decodeURIComponent(new URL(uri).searchParams.get("socket") ?? ""));
    await once(client, "data");
    client.on("error", () => undefined);
    running.child.kill(signal);
    expect((await running.outcome).code).toBe(0);
    client.destroy();
  });

  it("before it is ready is an end with code 1", async () => {
    const server = start(process.execPath, [doubles.program, "serve", "-U", "-", "slow-start", "--run", "echo was run"]);
    await server.line("stderr", /starting/);
    server.child.kill("SIGTERM");
    const { code, stdout, stderr } = await server.outcome;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("diskwright: SIGTERM ended it before it was ready");
  });

  it("with --exit-with-parent comes when the parent ends", async () => {
    const script = `'${process.execPath}' '${program}' serve --exit-with-parent --print-uri -U - memory 1M & wait`;
    const parent = start("sh", ["-c", script]);
    const [, uri = ""] = await parent.line("stdout", /^(nbd\S*)\n/);
    const socket = decodeURIComponent(new URL(uri).searchParams.get("socket") ?? "");
    expect(existsSync(socket)).toBe(true);
    parent.child.kill("SIGKILL");
    // The outcome waits for the server, which holds the same standard output.
    expect((await parent.outcome).signal).toBe("SIGKILL");
    expect(existsSync(socket)).toBe(false);
  });

  it("tells what fails in closing, with code 1", async () => {
    const { code, stderr } = await run(process.execPath, [doubles.program, "serve", "broken", "where=close", "--run", "true"]);
    expect([code, stderr]).toEqual([1, "diskwright: failed in close\n"]);
    const { code: kept } = await run(process.execPath, [doubles.program, "serve", "broken", "where=close", "--run", "exit 5"]);
    expect(kept).toBe(5);
  });

  it("comes at once when the plugin does not start", async () => {
    const { code, stderr } = await run(process.execPath, [doubles.program, "serve", "broken", "where=start", "--run", "echo was run"]);
    expect([code, stderr]).toEqual([1, "diskwright: failed in start\n"]);
  });
});

describeWith(["nbdcopy"], "the end while a client waits", () => {
  it("comes when its request is answered; a second signal ends it at once", async () => {
    const pidfile = join(tree(), "pid");
    const server = start(process.execPath, [doubles.program, "serve", "--print-uri", "-U", "-", "-P", pidfile, "stuck"]);
    const [, uri = ""] = await server.line("stdout", /^(nbd\S*)\n/);
    const client = start("nbdcopy", [uri, "null:"]);
    await server.line("stderr", /stuck in a read/);
    server.child.kill("SIGTERM");
    // Once the signal has arrived nobody new is let in.
    const socket = decodeURIComponent(new URL(uri).searchParams.get("socket") ?? "");
    while (existsSync(dirname(socket))) await new Promise((resolve) => setImmediate(resolve));
    expect(server.child.exitCode).toBeNull();
    server.child.kill("SIGTERM");
    expect((await server.outcome).code).toBe(143);
    expect(existsSync(pidfile)).toBe(false);
    await client.outcome;
  });
});

describeWith(["nbdinfo", "python3"], "a secret", () => {
  const asking = (): string[] => [
    doubles.program,
    "serve",
    "every-type",
    "secret=-",
    "--run",
    'nbdinfo --json "$uri" | grep description; cat',
  ];

  it("is a line of standard input, of which the command gets the rest", async () => {
    const { stdout } = await run(process.execPath, asking(), { input: "hunter2\nthe rest" });
    expect(stdout).toMatch(/"description": "{\\"secret\\":\\"hunter2\\"}",\nthe rest$/);
  });

  it("is asked for at a terminal, which does not show it", async () => {
    const spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    const terminal = start("python3", ["-c", spawn, process.execPath, ...asking()], { open: true });
    await terminal.line("stdout", /every-type: secret: /);
    terminal.child.stdin?.write("hunter2\r");
    await terminal.line("stdout", /description.*hunter2/);
    terminal.child.stdin?.end("\u0004");
    const { code, stdout } = await terminal.outcome;
    expect([code, stdout.split("hunter2").length - 1]).toEqual([0, 1]);
  });
});

describe("at a terminal", () => {
  it("says what is served, and until when", async () => {
    const host = testHost();
    Object.assign(host.stderr, { isTTY: true });
    const ended = main(["serve", "-U", "-", "memory", "1M"], host, catalogue);
    while (host.printed.stderr === "") await new Promise((resolve) => setImmediate(resolve));
    expect(host.printed.stderr).toMatch(/^diskwright: serving nbd\+unix:\/\/\/\?socket=\S+ until Ctrl-C\n$/);
    host.emit("SIGINT", "SIGINT");
    expect(await ended).toBe(0);
    expect(host.listenerCount("SIGINT")).toBe(0);
  });
});

describe("the pidfile", () => {
  it("holds the process id once the server is ready, and is gone at the end", async () => {
    const pidfile = join(tree(), "pid");
    const { running } = await serving("-U", "-", "-P", pidfile, "memory", "1M");
    expect(readFileSync(pidfile, "utf8")).toBe(`${running.child.pid}\n`);
    running.child.kill();
    await running.outcome;
    expect(existsSync(pidfile)).toBe(false);
  });

  it("stays when it names another process by then", async () => {
    const pidfile = join(tree(), "pid");
    const { running } = await serving("-U", "-", `--pidfile=${pidfile}`, "memory", "1M");
    writeFileSync(pidfile, "1\n");
    running.child.kill();
    expect((await running.outcome).stderr).toBe("");
    expect(readFileSync(pidfile, "utf8")).toBe("1\n");
  });

  it("that cannot be written ends it before the command is run", async () => {
    const { code, stdout, stderr } = await diskwright(["serve", "-P", "/nosuch/pid", "memory", "1M", "--run", "echo was run"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("diskwright: cannot write the pidfile: ENOENT");
  });
});

describeWith(["nbdinfo"], "--log and --verbose", () => {
  it("send errors to a file, or nowhere", async () => {
    const log = join(tree(), "log");
    const failing = ["serve", "memory", "1Q", "-s"];
    expect((await diskwright(failing)).stderr).toContain('diskwright: memory: size "1Q"');
    expect(await diskwright([...failing, "--log", log])).toMatchObject({ code: 1, stderr: "" });
    expect(readFileSync(log, "utf8")).toMatch(/^\d{4}-\S+Z diskwright\[\d+\]: memory: size "1Q"/);
    expect(await diskwright([...failing, "--log=null"])).toMatchObject({ code: 1, stderr: "" });
  });

  it("print what clients do", async () => {
    const { stderr } = await diskwright(["serve", "-v", "memory", "1M", "--run", `nbdinfo "$uri" >/dev/null`]);
    expect(stderr).toMatch(/^diskwright: debug: connection 1 from \{"transport":"unix"\}$/m);
    expect(stderr).toMatch(/^diskwright: debug: connection 1: read offset=0 length=\d+ flags=0$/m);
    expect(stderr).toMatch(/^diskwright: debug: connection 1 is over/m);
  });
});

describeWith(["nbdinfo", "nbdsh"], "options that clients see", () => {
  it("-r refuses writes", async () => {
    expect((await diskwright(["serve", "-r", "memory", "1M", "--run", 'nbdinfo --is read-only "$uri"'])).code).toBe(0);
    expect((await diskwright(["serve", "memory", "1M", "--run", 'nbdinfo --is read-only "$uri"'])).code).toBe(2);
  });

  it("--timeout lets go of a client that does not negotiate", async () => {
    const { uri } = await serving("--timeout=50ms", "-4", "-p", "0", "memory", "1M");
    const client = createConnection(Number(new URL(uri).port), "127.0.0.1").resume();
    await once(client, "end");
    client.destroy();
  });

  it("-s serves one client on standard input and output", async () => {
    const { code, stdout, stderr } = await nbdsh(
      `h.connect_command(["${process.execPath}", "${program}", "serve", "-s", "memory", "1M"])`,
      'h.pwrite(b"hello" * 2000, 3)',
      "print(h.get_size(), h.pread(5, 10 * 1000 - 2))",
      "h.shutdown()",
    );
    expect([code, stdout, stderr]).toEqual([0, "1048576 bytearray(b'hello')\n", ""]);
  });

  it("-s ends with code 0 when its input does", async () => {
    const { code, stdout } = await diskwright(["serve", "-s", "memory", "1M"]);
    expect([code, stdout]).toEqual([0, "NBDMAGICIHAVEOPT\0\u0003"]);
  });
});

const asRoot = process.getuid?.() === 0;
if (!asRoot) console.warn("SKIPPED --user and --group: only root can become somebody else");
(asRoot ? describeWith : skip)(["nbdinfo"], "--user and --group", () => {
  it("become somebody else once listening; the command stays who we were; nothing is left behind", async () => {
    const directory = tree();
    chmodSync(directory, 0o755);
    const pidfile = join(directory, "pid");
    // A client is served only once that is done.
    const script = 'nbdinfo --size "$uri"; id -un; stat -c "%U %G" "/proc/$(cat "$pidfile")"; echo "$unixsocket"';
    const { code, stdout, stderr } = await diskwright(
      ["serve", "-u", "nobody", "-g", "nogroup", "-P", pidfile, "memory", "1M", "--run", script],
      {
        env: { pidfile },
      },
    );
    const [size, command, server, socket = ""] = stdout.split("\n");
    expect([code, command, server, size]).toEqual([0, "root", "nobody nogroup", "1048576"]);
    expect(existsSync(dirname(socket))).toBe(false);
    // Its directory is not nobody's, so it can only be emptied.
    expect([readFileSync(pidfile, "utf8"), stderr]).toEqual(["", ""]);
  });

  it.each([
    ["-u", "nosuchuser", "user nosuchuser"],
    ["-g", "nosuchgroup", "group nosuchgroup"],
  ])("%s %s is refused before anything is run", async (option, name, whom) => {
    const { code, stdout, stderr } = await diskwright(["serve", option, name, "memory", "1M", "--run", "echo was run"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`diskwright: cannot become ${whom}: `);
  });
});
