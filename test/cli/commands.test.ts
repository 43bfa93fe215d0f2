// `diskwright` itself: its commands, its help, and what it says when it is mistyped.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { VERSION } from "../../src/cli/version.ts";
import { doubles } from "./fixtures/doubles.ts";
import { testHost } from "./fixtures/host.ts";

/** Runs a command line inside the test. */
async function command(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const host = testHost();
  const code = await main(argv, host, doubles);
  return { code, ...host.printed };
}

it("has the version of its package", () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});

describe("diskwright", () => {
  it.each([["--version"], ["-V"]])("%s prints its version", async (option) => {
    expect(await command(option)).toEqual({ code: 0, stdout: `diskwright ${VERSION}\n`, stderr: "" });
  });

  it.each([["--help"], ["-h"], ["help"]])("%s lists the commands", async (option) => {
    const { code, stdout } = await command(option);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}serve {2}Serve a disk/m);
  });

  it("help COMMAND is COMMAND --help", async () => {
    expect(await command("help", "serve", "memory")).toEqual(await command("serve", "--help", "memory"));
  });

  it.each([
    [[], "no command given"],
    [["srve"], "there is no command 'srve': did you mean serve?"],
    [["quux"], "there is no command 'quux'"],
    [["memory", "1G"], "there is no command 'memory': did you mean diskwright serve memory 1G?"],
    [["-r", "memory"], "there is no command '-r': did you mean diskwright serve -r memory?"],
  ])("%j ends with 1 and says what there is", async (argv, text) => {
    const { code, stdout, stderr } = await command(...argv);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`diskwright: ${text}\nUse 'diskwright --help' to see what there is.\n`);
  });
});

describe("diskwright serve", () => {
  it("--help lists the options, plugins and filters", async () => {
    const { code, stdout } = await command("serve", "--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}-U, --unix=PATH +Listen on a unix socket/m);
    expect(stdout).toMatch(/^ {6}--run=CMD +Serve for as long as/m);
    expect(stdout).toMatch(/^ {2}memory +A disk in memory$/m);
    expect(stdout).toMatch(/^ {2}inner +Adds inner/m);
    expect(stdout).not.toContain("oldstyle");
  });

  it("--help PLUGIN tells what the plugin and filters take", async () => {
    const { stdout } = await command("serve", "--filter=inner", "every-type", "--help");
    expect(stdout).toMatch(/^filter inner: Adds inner to the description\n {2}inner-size=SIZE +Some size\n/m);
    expect(stdout).toMatch(/^plugin every-type: Takes a key of every type$/m);
    expect(stdout).toMatch(/^ {2}string=STRING +A text \(the key may be left out\)$/m);
    expect(stdout).toMatch(/^ {2}choice=red\|green +A colour \(default: red\)$/m);
    expect(stdout).toMatch(/^ {2}list=INTEGER +Numbers \(may be repeated\)$/m);
    expect((await command("serve", "memory", "--help")).stdout).toMatch(
      /^ {2}size=SIZE +Size of the disk \(required, the key may be left out\)$/m,
    );
    expect((await command("serve", "stuck", "--help")).stdout).toContain("(it takes no parameters)");
  });

  it("--version names the plugin and filters too", async () => {
    expect((await command("serve", "--version", "--filter=inner", "memory")).stdout).toBe(
      `diskwright ${VERSION}\ninner ${VERSION}\nmemory ${VERSION}\n`,
    );
    expect((await command("serve", "far-away", "-V")).stdout).toBe(`diskwright ${VERSION}\nfar-away 9.8.7\n`);
  });

  it("--dump-plugin prints nbdkit's fields that mean something here", async () => {
    expect((await command("serve", "memory", "--dump-plugin")).stdout).toBe(
      `name=memory\nversion=${VERSION}\nmax_thread_model=parallel\nthread_model=parallel\nmagic_config_key=size\nhas_config=1\n`,
    );
    expect((await command("serve", "--dump-plugin", "any-key")).stdout).toContain("thread_model=serialize_all_requests\nhas_config=1\n");
    expect((await command("serve", "--dump-plugin", "stuck")).stdout).not.toContain("has_config");
  });

  it("--dump-config prints what this program is", async () => {
    const { stdout } = await command("serve", "--dump-config");
    expect(stdout).toContain(`name=diskwright\nversion=${VERSION}\nversion_major=0\nversion_minor=1\n`);
    expect(stdout).toContain("\nexit_with_parent=yes\n");
    expect(stdout).toContain("\ntls=no\n");
  });

  it.each([
    [[], "no plugin given on the command line"],
    [["--dump-plugin"], "--dump-plugin: which plugin? Write diskwright serve PLUGIN --dump-plugin"],
    [["--help", "nosuch"], "there is no plugin 'nosuch' (the plugins are any-key, broken, every-type, memory, slow-start, stuck)"],
    [["--prot", "memory"], "unrecognized option '--prot': did you mean --port?"],
    [["-p", "99999", "memory", "1M"], '--port "99999": expected a number from 0 to 65535'],
    [["-p", "nbd", "memory", "1M"], '--port "nbd": expected a number from 0 to 65535'],
    [["-p", "", "memory", "1M"], '--port "": expected a number from 0 to 65535'],
    [["-U", "", "memory", "1M"], "-U: expected the path of a socket, or - for a private one"],
    [["-i", "", "memory", "1M"], "--ipaddr: expected an address or a name"],
    [["-46", "memory", "1M"], "--ipv4-only and --ipv6-only cannot be used together"],
    [["-U", "-", "-p", "1", "memory", "1M"], "--port and --unix cannot be used together: it is one or the other"],
    [["-s", "-p", "1", "memory", "1M"], "--port and --single cannot be used together: there is nothing to listen on"],
    [["-s", "-U", "-", "memory", "1M"], "--unix and --single cannot be used together: there is nothing to listen on"],
    [["-s", "memory", "1M", "--run", "true"], "--single and --run cannot be used together: standard input and output are the command's"],
    [["-s", "--print-uri", "memory", "1M"], "--single and --print-uri cannot be used together: there is nothing to connect to"],
    [["-t", "-1", "-s", "memory", "1M"], "--threads -1: expected a number from 0"],
    [["-t", "many", "-s", "memory", "1M"], '--threads "many": expected a whole number'],
    [["--timeout", "1h", "-s", "memory", "1M"], '--timeout "1h": expected seconds, or a number with a unit: 2, "1.5", "40ms", "20us"'],
    [["--log", "file", "memory", "1M"], '--log "file": expected stderr, null or /path'],
    [["-D", "foo", "memory", "1M"], '--debug "foo": expected NAME.FLAG=N'],
    [["--tls=on", "memory", "1M"], "--tls=on: TLS is not there yet; use a unix socket (-U), an ssh tunnel, or a trusted network"],
    [["--tls=require", "memory", "1M"], "--tls=require: TLS is not there yet; use a unix socket (-U), an ssh tunnel, or a trusted network"],
    [["--tls=maybe", "memory", "1M"], '--tls "maybe": expected yes or no: true, yes, on, 1 or false, no, off, 0'],
    [["--tls-psk=x", "memory", "1M"], "--tls-psk: TLS is not there yet; use a unix socket (-U), an ssh tunnel, or a trusted network"],
    [["--vsock", "memory", "1M"], "--vsock: Node.js has no vsock sockets; let socket activation (LISTEN_FDS) pass one that listens"],
    [["-o", "memory", "1M"], "-o: the oldstyle protocol is obsolete: every client of today negotiates"],
  ])("%j ends with 1 and one sentence", async (argv, text) => {
    const { code, stdout, stderr } = await command("serve", ...argv);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`diskwright: ${text}\nUse 'diskwright serve --help' to see what there is.\n`);
  });

  it("says that debug flags do nothing", async () => {
    expect((await command("serve", "-D", "memory.pages=1", "memory", "1M", "-p", "x")).stderr).toContain(
      "warning: debug flag -D memory.pages=1 was not used",
    );
  });
});
