// Socket activation: sockets that systemd, libnbd or a shell passes.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { freePort, nbdsh, type Outcome, program, run, start } from "./fixtures/command.ts";

/** Runs `diskwright serve` under its own process id with descriptor 3 being a file, as a parent that passes nonsense would. */
function withDescriptor3(variables: string, ...args: string[]): Promise<Outcome> {
  return run("sh", ["-c", `${variables} exec "$@" 3</dev/null`, "sh", process.execPath, program, "serve", "memory", "1M", ...args]);
}

describeWith(["nbdinfo", "nbdsh"], "socket activation by libnbd", () => {
  it("serves the clients of the socket, and ends with the signal", async () => {
    const { code, stdout } = await run("nbdinfo", ["--size", "[", process.execPath, program, "serve", "memory", "1M", "]"]);
    expect([code, stdout]).toEqual([0, "1048576\n"]);
  });

  it("takes filters, keys and options beside it", async () => {
    const { code, stdout, stderr } = await nbdsh(
      `h.connect_systemd_socket_activation(["${process.execPath}", "${program}", "serve", "-r", "memory", "size=2M"])`,
      "print(h.get_size(), h.is_read_only())",
    );
    expect([code, stdout, stderr]).toEqual([0, "2097152 True\n", ""]);
  });
});

describeWith(["systemd-socket-activate", "nbdinfo"], "socket activation by systemd", () => {
  it("serves every socket that was passed, each with the same disk", async () => {
    const directory = tree();
    const sockets = ["a", "b", "c"].map((name) => join(directory, name));
    const server = start("systemd-socket-activate", [
      ...sockets.flatMap((path) => ["-l", path]),
      // It passes a bare environment, but node and its options are found by their paths.
      process.execPath,
      program,
      "serve",
      "memory",
      "3M",
    ]);
    await server.line("stderr", /Listening on .*c as 5/);
    for (const path of sockets) expect((await run("nbdinfo", ["--size", `nbd+unix:///?socket=${path}`])).stdout).toBe("3145728\n");
    const [first, second, third] = sockets.map((path) => `nbd+unix:///?socket=${path}`);
    await nbdsh(`h.connect_uri("${third}")`, 'h.pwrite(b"shared", 0)', "h.shutdown()");
    for (const uri of [first, second])
      expect((await nbdsh(`h.connect_uri("${uri}")`, "print(h.pread(6, 0))")).stdout).toBe("bytearray(b'shared')\n");
    server.child.kill("SIGTERM");
    expect((await server.outcome).code).toBe(0);
    // They belong to whoever passed them.
    for (const path of sockets) expect(existsSync(path)).toBe(true);
  });

  it("serves TCP", async () => {
    const port = await freePort();
    const server = start("systemd-socket-activate", ["-l", `127.0.0.1:${port}`, process.execPath, program, "serve", "-v", "memory", "1M"]);
    await server.line("stderr", /Listening on/);
    expect((await run("nbdinfo", ["--size", `nbd://127.0.0.1:${port}`])).stdout).toBe("1048576\n");
    await server.line("stderr", /debug: connection 1 from {"transport":"tcp","address":"127\.0\.0\.1","port":\d+}/);
    server.child.kill("SIGTERM");
    expect((await server.outcome).code).toBe(0);
  });

  it("starts -s for each client, as inetd does", async () => {
    const port = await freePort();
    const server = start("systemd-socket-activate", [
      "--inetd",
      "-a",
      "-l",
      `127.0.0.1:${port}`,
      process.execPath,
      program,
      "serve",
      "-s",
      "memory",
      "1M",
    ]);
    await server.line("stderr", /Listening on/);
    const uri = `nbd://127.0.0.1:${port}`;
    const write = await nbdsh(`h.connect_uri("${uri}")`, 'h.pwrite(b"x" * 100000, 0)', "print(h.pread(3, 99998 - 1))", "h.shutdown()");
    expect(write).toMatchObject({ code: 0, stdout: "bytearray(b'xxx')\n" });
    const read = await nbdsh(`h.connect_uri("${uri}")`, "print(h.pread(3, 0))", "h.shutdown()");
    expect(read).toMatchObject({ code: 0, stdout: "bytearray(b'\\x00\\x00\\x00')\n" });
  });
});

describe("socket activation", () => {
  it.each(["-p 1", "-U -", "-i ::1", "-s", "--run true"])("does not go with %s: the sockets are given", async (options) => {
    const { code, stdout, stderr } = await nbdsh(
      `h.connect_systemd_socket_activation(["${process.execPath}", "${program}", "serve", "memory", "1M", ${options.split(" ").map((word) => `"${word}"`)}])`,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^diskwright: cannot use socket activation \(LISTEN_FDS\) with --(port|unix|ipaddr|single|run): the sockets to listen on are given$/m,
    );
  });

  it.each(["0", "17", "many", ""])("refuses LISTEN_FDS=%j", async (count) => {
    const { code, stderr } = await withDescriptor3(`LISTEN_PID=$$ LISTEN_FDS='${count}'`);
    expect([code, stderr]).toEqual([1, `diskwright: socket activation: LISTEN_FDS=${count} out of range: expected 1 to 16\n`]);
  });

  it("refuses a descriptor that is no socket", async () => {
    const { code, stderr } = await withDescriptor3("LISTEN_PID=$$ LISTEN_FDS=1");
    expect([code, stderr]).toEqual([1, "diskwright: socket activation: file descriptor 3 is no socket\n"]);
  });

  it("is not meant for us where LISTEN_PID is another process", async () => {
    const { code, stdout, stderr } = await withDescriptor3("LISTEN_PID=1 LISTEN_FDS=1", "--run", "echo served; env | grep LISTEN_");
    expect([code, stdout.split("\n")[0]]).toEqual([0, "served"]);
    expect(stderr).toMatch(/^diskwright: LISTEN_PID=1 was not for us, process \d+ \(ignored\)\n$/);
  });

  it("takes its variables out of the environment", async () => {
    const host = { env: { LISTEN_PID: "7", LISTEN_FDS: "99", LISTEN_FDNAMES: "a", OTHER: "b" }, pid: 7 };
    const { activatedSockets } = await import("../../src/cli/activation.ts");
    expect(() => activatedSockets(host as never)).toThrow("LISTEN_FDS=99 out of range");
    expect(host.env).toEqual({ OTHER: "b" });
    expect(activatedSockets(host as never)).toEqual([]);
  });
});
