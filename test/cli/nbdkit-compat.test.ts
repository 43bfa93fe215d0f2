// The same command lines through nbdkit and through `diskwright serve`: what one does, the other does.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { diskwright, freePort, type Outcome, run, type StartOptions } from "./fixtures/command.ts";

/** Runs a command line through both. */
async function both(args: readonly string[], options?: StartOptions): Promise<{ nbdkit: Outcome; ours: Outcome }> {
  return { nbdkit: await run("nbdkit", args, options), ours: await diskwright(["serve", ...args], options) };
}

describeWith(["nbdkit", "nbdinfo", "nbdcopy"], "diskwright serve and nbdkit", () => {
  it.each<[string, readonly string[]]>([
    ["options before the plugin", ["-U", "-", "memory", "1M"]],
    ["options after it", ["memory", "1M", "-U", "-"]],
    ["options between its arguments", ["memory", "-U", "-", "1M"]],
    ["a cluster of short options", ["-fU", "-", "memory", "1M"]],
    ["a short option with its value", ["-U-", "memory", "1M"]],
    ["a long option with its value", ["--unix=-", "memory", "1M"]],
    ["a long option before its value", ["--unix", "-", "memory", "1M"]],
    ["the beginning of a long option", ["--uni", "-", "memory", "1M"]],
    ["a key", ["-U", "-", "memory", "size=1M"]],
    ["a key that is given twice", ["-U", "-", "memory", "size=2M", "size=1M"]],
    ["two bare arguments", ["-U", "-", "memory", "2M", "1M"]],
    ["a size in sectors", ["-U", "-", "memory", "2048s"]],
    ["an allocator", ["-U", "-", "memory", "1M", "allocator=malloc"]],
    ["newstyle, foreground, threads, TLS off", ["-U", "-", "-n", "-f", "-t", "4", "--tls=off", "--log=stderr", "memory", "1M"]],
    ["a last option that wins", ["-e", "a", "-e", "b", "-U", "/nosuch/socket", "-U", "-", "memory", "1M"]],
  ])("both understand %s", async (_, args) => {
    const { nbdkit, ours } = await both([...args, "--run", 'nbdinfo --size "$uri"']);
    expect(nbdkit).toMatchObject({ code: 0, stdout: "1048576\n" });
    expect(ours).toEqual(nbdkit);
  });

  it.each<[string, string]>([
    ["a code of its own", "exit 7"],
    ["a code above 255", "exit 258"],
    ["a command that is not there", "nosuchcommand 2>/dev/null"],
    ["a signal", "kill -TERM $$"],
    ["the exit of a pipe's last", "false | true"],
    ["variables that are not exported", "env | grep -cE '^(uri|nbd|port|unixsocket|exportname)='"],
    ["variables that are set", 'set -u; echo "[$port][$exportname]"; [ "$uri" = "$nbd" ] && [ -S "$unixsocket" ]'],
    ["no $tls", "set | grep -c ^tls="],
    ["a name for the shell, and no arguments", 'echo "$0 $#"'],
    ["standard input", "cat"],
  ])("both run a command with %s", async (_, command) => {
    const { nbdkit, ours } = await both(["-U", "-", "memory", "1M", "--run", command], { input: "typed\n" });
    expect([ours.code, ours.stdout]).toEqual([nbdkit.code, nbdkit.stdout]);
  });

  it("both hand over an export name that needs quoting, in a URI that libnbd reads", async () => {
    const command = 'echo "$exportname"; nbdinfo --json "$uri" | grep export-name';
    const { nbdkit, ours } = await both(["-U", "-", "-e", `it's a "test" $HOME`, "memory", "1M", "--run", command]);
    expect(nbdkit.stdout).toContain(`it's a "test" $HOME\n`);
    expect(ours).toEqual(nbdkit);
  });

  it("both tell the port", async () => {
    const port = String(await freePort());
    const script = 'nbdinfo --size "$uri"; echo "$port [$unixsocket]"';
    const { nbdkit, ours } = await both(["-4", "-p", port, "-i", "127.0.0.1", "memory", "1M", "--run", script]);
    expect(nbdkit.stdout).toBe(`1048576\n${port} []\n`);
    expect(ours).toEqual(nbdkit);
  });

  it("both make an absolute path of the socket's", async () => {
    const args = ["-U", "socket", "memory", "1M", "--run", 'echo "$unixsocket"'];
    const nbdkit = await run("nbdkit", args, { cwd: tree() });
    const directory = tree();
    expect(nbdkit.stdout).toMatch(/^\/.*\/socket\n$/);
    expect((await diskwright(["serve", ...args], { cwd: directory })).stdout).toBe(`${directory}/socket\n`);
  });

  it("both write the pidfile with one line", async () => {
    const path = join(tree(), "pid");
    const { nbdkit, ours } = await both([
      "-U",
      "-",
      "-P",
      path,
      "memory",
      "1M",
      "--run",
      `while ! grep -q . '${path}'; do :; done; sed 's/[0-9]/9/g; s/9*$/pid/' '${path}'; wc -l < '${path}'`,
    ]);
    expect(nbdkit.stdout).toBe("pid\n1\n");
    expect(ours.stdout).toBe(nbdkit.stdout);
  });

  it.each<[string, readonly string[]]>([
    ["no plugin", ["-s"]],
    ["no size", ["-s", "memory"]],
    ["a size that is none", ["-s", "memory", "1Q"]],
    ["a size that is too large", ["-s", "memory", "8E"]],
    ["a key that nobody knows", ["-s", "memory", "1M", "nosuch=1"]],
    ["an allocator that is not there", ["-s", "memory", "1M", "allocator=nosuch"]],
    ["a plugin that is not there", ["-s", "nosuch"]],
    ["a filter that is not there", ["-s", "--filter=nosuch", "memory", "1M"]],
    ["an option that is not there", ["-s", "--nosuch", "memory", "1M"]],
    ["a short option that is not there", ["-sx", "memory", "1M"]],
    ["an option without its value", ["-s", "memory", "1M", "--pidfile"]],
    ["a flag with a value", ["-s", "--readonly=yes", "memory", "1M"]],
    ["an ambiguous beginning", ["-s", "--no", "memory", "1M"]],
    ["-U and -p", ["-U", "/nosuch/socket", "-p", "20809", "memory", "1M"]],
    ["-s and -p", ["-s", "-p", "20809", "memory", "1M"]],
    ["-s and --run", ["-s", "memory", "1M", "--run", "true"]],
    ["an empty socket path", ["-U", "", "memory", "1M", "--run", "true"]],
    ["a socket in no directory", ["-U", "/nosuch/socket", "memory", "1M", "--run", "true"]],
    ["a user who does not exist", ["-s", "-u", "nosuchuser", "memory", "1M"]],
    ["a log that is none", ["-s", "--log=nosuch", "memory", "1M"]],
    ["a debug flag that is none", ["-s", "-D", "nosuch", "memory", "1M"]],
    ["threads that are no number", ["-s", "-t", "many", "memory", "1M"]],
    ["--dump-plugin without one", ["--dump-plugin"]],
    ["TLS without certificates", ["-s", "--tls=require", "memory", "1M"]],
    ["options after --", ["memory", "1M", "--", "-s"]],
  ])("both end with 1 and a message for %s", async (_, args) => {
    const { nbdkit, ours } = await both(args);
    expect([ours.code, nbdkit.code]).toEqual([1, 1]);
    expect(ours.stderr).toMatch(/^diskwright: \S/);
    expect(nbdkit.stderr).toMatch(/^(nbdkit: |\/nosuch)/);
  });

  it("both greet on standard output for -s, and end with its input", async () => {
    const { nbdkit, ours } = await both(["-s", "memory", "1M"]);
    expect(ours.stdout).toBe(nbdkit.stdout);
    expect([ours.code, nbdkit.code]).toEqual([0, 0]);
  });

  it("both print their version, and the plugin's after it", async () => {
    const { nbdkit, ours } = await both(["memory", "--version"]);
    const version = /^(\w+) \d+\.\d+\.\d+\nmemory \d+\.\d+\.\d+\n$/;
    expect([version.exec(nbdkit.stdout)?.[1], version.exec(ours.stdout)?.[1]]).toEqual(["nbdkit", "diskwright"]);
  });

  it("both dump a plugin in lines of field=value, with the same thread model and magic key", async () => {
    const { nbdkit, ours } = await both(["--dump-plugin", "memory"]);
    const fields = (text: string) => Object.fromEntries(text.split("\n").map((line) => line.split("=")));
    const { name, thread_model, max_thread_model, magic_config_key, has_config } = fields(nbdkit.stdout);
    expect(fields(ours.stdout)).toMatchObject({ name, thread_model, max_thread_model, magic_config_key, has_config });
  });

  it("an image goes from one to the other and back", async () => {
    const directory = tree();
    const [image, back] = [join(directory, "image"), join(directory, "back")];
    const content = Buffer.alloc(1 << 20);
    for (let at = 0; at < content.length; at += 4) content.writeUInt32BE(at, at);
    writeFileSync(image, content);
    // nbdkit's --run inside ours: both disks at once, in one shell line.
    const script = `nbdkit -U - memory 1M --run 'nbdcopy "${image}" "$uri" && nbdcopy "$uri" "$ours" && nbdcopy "$ours" "${back}"'`;
    const { code, stderr } = await diskwright(["serve", "memory", "1M", "--run", `export ours="$uri"; ${script}`]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(readFileSync(back).equals(content)).toBe(true);
  });
});
