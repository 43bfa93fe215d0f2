// `--run`: what the command gets to know, and whose exit code it is.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { captiveScript } from "../../src/cli/captive.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { diskwright, startDiskwright } from "./fixtures/command.ts";

const nothing = { uri: "", exportname: "", port: "", unixsocket: "" };

describe("the script", () => {
  it.each([["plain"], [""], ["it's"], ['"$HOME" `id` \\ \n !'], ["ü/ 日本"], ["-n"], ["a=b"]])(
    "hands %j to the shell unchanged",
    (exportname) => {
      const script = captiveScript('printf %s "$exportname"', { ...nothing, exportname });
      expect(execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" })).toBe(exportname);
    },
  );

  it("sets every variable, also those that are empty, and exports none", () => {
    const variables = { uri: "nbd+unix:///?socket=/s", exportname: "", port: "", unixsocket: "/s" };
    const script = captiveScript('echo "$nbd|$uri|$exportname|$port|$unixsocket"; set -u; : "$exportname" "$port"; env', variables);
    const [first, ...environment] = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8", env: {} }).split("\n");
    expect(first).toBe("nbd+unix:///?socket=/s|nbd+unix:///?socket=/s|||/s");
    expect(environment).toContain(`PWD=${process.cwd()}`);
    expect(environment.filter((line) => /^(uri|nbd|exportname|port|unixsocket)=/.test(line))).toEqual([]);
  });
});

describe("diskwright serve --run", () => {
  it.each([
    ["true", 0],
    ["exit 7", 7],
    ["false", 1],
    ["exit 300", 44],
    ["nosuchcommand 2>/dev/null", 127],
    ["", 0],
  ])("%j ends with the command's code %d", async (command, code) => {
    expect((await diskwright(["serve", "memory", "1M", "--run", command])).code).toBe(code);
  });

  it("ends with 128 and the signal's number when a signal ended the command", async () => {
    const { code, stderr } = await diskwright(["serve", "memory", "1M", "--run", "kill -KILL $$"]);
    expect(code).toBe(137);
    expect(stderr).toBe("diskwright: external command was killed by signal 9 (SIGKILL)\n");
  });

  it("listens on a private unix socket, which is gone afterwards", async () => {
    const { stdout } = await diskwright([
      "serve",
      "memory",
      "1M",
      "--run",
      'echo "$unixsocket"; echo "$uri"; echo "[$port]"; stat -c %a "$(dirname "$unixsocket")"',
    ]);
    const [socket = "", uri, port, mode] = stdout.split("\n");
    expect(uri).toBe(`nbd+unix:///?socket=${socket}`);
    expect([port, mode]).toEqual(["[]", "700"]);
    expect(existsSync(dirname(socket))).toBe(false);
  });

  it("listens where it is told to", async () => {
    const directory = tree();
    const unix = await diskwright(["serve", "-U", "a b", "memory", "1M", "--run", 'echo "$unixsocket"; echo "$uri"'], { cwd: directory });
    expect(unix.stdout).toBe(`${directory}/a b\nnbd+unix:///?socket=${directory}/a%20b\n`);
    expect(existsSync(join(directory, "a b"))).toBe(false);
    const tcp = await diskwright(["serve", "-4", "-p", "0", "memory", "1M", "--run", 'echo "$port $uri [$unixsocket]"']);
    expect(tcp.stdout).toMatch(/^(\d+) nbd:\/\/127\.0\.0\.1:\1\/ \[\]$/m);
  });

  it("puts the export name into the URI", async () => {
    const { stdout } = await diskwright(["serve", "-e", "it's #1?", "memory", "1M", "--run", 'echo "$exportname"; echo "$nbd"']);
    expect(stdout).toMatch(/^it's #1\?\nnbd\+unix:\/\/\/it%27s%20%231%3F\?socket=\//);
  });

  it("leaves standard input, output and error to the command", async () => {
    const { stdout, stderr } = await diskwright(["serve", "memory", "1M", "--run", "cat; echo problem >&2"], { input: "typed\n" });
    expect([stdout, stderr]).toEqual(["typed\n", "problem\n"]);
  });

  it("waits for the command when it is told to stop, as nbdkit does, and goes on serving it", async () => {
    const running = startDiskwright(["serve", "memory", "1M", "--run", 'echo ready; read line; test -S "$unixsocket"; exit $((3 + $?))'], {
      open: true,
    });
    await running.line("stdout", /ready/);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGTERM"] as const) running.child.kill(signal);
    running.child.stdin?.end("go on\n");
    expect((await running.outcome).code).toBe(3);
  });
});

describeWith(["nbdinfo", "qemu-img", "qemu-io", "fio"], "the commands of the README", () => {
  it("nbdinfo sees the disk", async () => {
    const { code, stdout } = await diskwright(["serve", "memory", "1G", "--run", 'nbdinfo "$uri"']);
    expect(code).toBe(0);
    expect(stdout).toContain("export-size: 1073741824 (1G)");
    expect(stdout).toContain("can_multi_conn: true");
  });

  it("qemu writes and reads a pattern", async () => {
    const script = 'qemu-img info "$uri"; qemu-io -f raw -c "write -P 7 1M 1M" -c "read -P 7 1M 1M" "$uri"';
    const { code, stdout } = await diskwright(["serve", "-U", "-", "memory", "64M", "--run", script]);
    expect(code).toBe(0);
    expect(stdout).toContain("virtual size: 64 MiB (67108864 bytes)");
    expect(stdout).toContain("read 1048576/1048576 bytes at offset 1048576");
    expect(stdout).not.toContain("verification failed");
  });

  it("the largest disk there is can be asked for its size", async () => {
    const { code, stdout } = await diskwright(["serve", "memory", String(2n ** 63n - 1n), "--run", 'nbdinfo --size "$uri"']);
    expect([code, stdout]).toEqual([0, "9223372036854775807\n"]);
  });

  it("fio verifies what it wrote", async () => {
    const fio =
      'fio --name=v --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k --iodepth=32 --size=16M --verify=crc32c --output-format=json';
    const { code, stdout } = await diskwright(["serve", "memory", "1G", "--run", fio], { cwd: tree() });
    expect(code).toBe(0);
    const { jobs } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { jobs: { error: number; read: { total_ios: number } }[] };
    expect(jobs.map(({ error, read }) => [error, read.total_ios])).toEqual([[0, 4096]]);
  });
});
