// The sh plugin: nbdkit's script protocol, method by method.

import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { plugins } from "../../src/cli/plugins.ts";
import { zeroFlags } from "../../src/contract/flags.ts";
import { connect, type Disk, listExports, openDisk, type Plugin, serve, sh } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { testHost } from "../cli/fixtures/host.ts";
import { nbdkit } from "../fixtures/peers.ts";
import { run } from "../fixtures/run.ts";
import { command, expectBothRefuse, expectSame, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

// Each request is a process: on a busy machine that adds up.
vi.setConfig({ testTimeout: 60_000 });

/** A script that keeps its disk in a file, and can do everything. Small, as its suite is: each request is a process, and two where it does not `exec`. */
const everything = `
f=$tmpdir/disk
case "$1" in
  get_ready) truncate -s 100k $f ;;
  thread_model) echo parallel ;;
  get_size) echo 100k ;;
  block_size) echo 1 4k 32M ;;
  can_write|can_flush|can_trim|can_zero|can_fast_zero|can_extents|can_multi_conn) exit 0 ;;
  can_fua|can_cache) echo native ;;
  pread) exec dd if=$f skip=$4 count=$3 iflag=count_bytes,skip_bytes status=none ;;
  pwrite) exec dd of=$f seek=$4 oflag=seek_bytes conv=notrunc status=none ;;
  trim|zero) exec fallocate -p -o $4 -l $3 -n $f ;;
  extents) echo $4 $3 0 ;;
  flush|cache|unload|close) ;;
  *) exit 2 ;;
esac`;

describe("the conformance suite", () => {
  testPlugin({
    test: (name, run) => test(name, { timeout: 60_000 }, run),
    factory: () => sh({ source: everything }),
    content: new Uint8Array(100 * 1024),
    expect: {
      write: true,
      flush: true,
      trim: true,
      zero: true,
      fastZero: true,
      extents: true,
      fua: "native",
      multiConn: true,
      cache: "native",
    },
    routes: ["directly"],
    timeout: 60_000,
  });
});

/** A disk of 1 MiB of zeroes with more methods, which come first. Each call is written to a file. */
function logged(cases: string): { readonly plugin: Plugin; readonly calls: () => string[] } {
  const log = join(tree(), "log");
  const source = `printf '%s' "$1" >> ${log}; for a in "$@"; do [ "$a" = "$1" ] || printf ' [%s]' "$a" >> ${log}; done; echo >> ${log}
    case "$1" in
    ${cases}
    get_size) echo 1M ;;
    pread) head -c "$3" /dev/zero ;;
    *) exit 2 ;;
    esac`;
  return {
    plugin: sh({
      source,
      parameters: [
        ["a", "b c"],
        ["a", ""],
      ],
    }),
    calls: () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []),
  };
}

/** Opens what a script says: {@link logged} with its config method. */
function opened(cases: string): Promise<Disk> {
  return openDisk(logged(`config) ;; ${cases}`).plugin);
}

describe("the life of a script", () => {
  test("is nbdkit's", async () => {
    const { plugin, calls } = logged("config) ;; open) echo h1 ;;");
    const disk = await openDisk(plugin, { exportName: "an export" });
    await disk.close();
    expect(calls()).toEqual([
      ...["load", "config [a] [b c]", "config [a] []", "config_complete", "thread_model", "get_ready", "after_fork"],
      ...["open [false] [an export] [false]", "get_size [h1]", "block_size [h1]", "export_description [h1]"],
      ...["can_write [h1]", "can_flush [h1]", "can_cache [h1]", "can_extents [h1]", "can_multi_conn [h1]", "is_rotational [h1]"],
      ...["close [h1]", "unload"],
    ]);
  });

  test("says what each request is", async () => {
    const { plugin, calls } =
      logged(`config|unload|close) ;; open) printf 'h 1\\n\\n' ;; can_write|can_flush|can_trim|can_zero|can_fast_zero|can_extents) ;;
      can_fua|can_cache) echo native ;; pwrite) cat > /dev/null ;; trim|zero|flush|cache) ;; extents) echo 0 1M ;;`);
    await using disk = await openDisk(plugin);
    const before = calls().length;
    await disk.write(new Uint8Array(5), 7n);
    await disk.write(new Uint8Array(5), 7n, { fua: true });
    await disk.trim(1n, 2n, { fua: true });
    await disk.zero(1n, 2n);
    await disk.zero(1n, 2n, zeroFlags(true, true, true));
    await disk.zero(1n, 2n, zeroFlags(true, false, false));
    await disk.extents(3n, 4n);
    await disk.extents(3n, 4n, { reqOne: true });
    await disk.flush();
    await disk.cache(5n, 6n);
    await disk.read(new Uint8Array(9), 8n);
    const handle = "[h 1\n]";
    expect(calls().slice(before).join("\n")).toBe(
      [
        `pwrite ${handle} [5] [7] []`,
        `pwrite ${handle} [5] [7] [fua]`,
        `trim ${handle} [2] [1] [fua]`,
        `zero ${handle} [2] [1] [may_trim]`,
        `zero ${handle} [2] [1] [fua,fast]`,
        `zero ${handle} [2] [1] [fua,may_trim]`,
        `extents ${handle} [4] [3] []`,
        `extents ${handle} [4] [3] [req_one]`,
        `flush ${handle}`,
        `cache ${handle} [6] [5]`,
        `pread ${handle} [9] [8]`,
      ].join("\n"),
    );
  });

  test("begins anew, in a directory of its own that is empty at first and gone at the end, whenever it is started", async () => {
    const seen = join(tree(), "seen");
    const plugin = sh({
      source: `case "$1" in load) echo "$tmpdir $(ls -A $tmpdir | wc -l)" >> ${seen}; touch $tmpdir/x ;; get_size) echo 1M ;; *) exit 2 ;; esac`,
    });
    for (let i = 0; i < 2; i += 1) await (await openDisk(plugin)).close();
    const directories = readFileSync(seen, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    expect(directories.map(([, entries]) => entries)).toEqual(["0", "0"]);
    expect(new Set(directories.map(([path]) => path)).size).toBe(2);
    for (const [path = ""] of directories) expect(existsSync(path)).toBe(false);
  });

  test("a client that may only read is not asked whether it can write", async () => {
    const { plugin, calls } = logged("config|can_write) ;;");
    await using disk = await openDisk(plugin, { readonly: true });
    expect(disk.capabilities.write).toBe(false);
    expect(calls()).toContain("open [true] [] [false]");
    expect(calls()).not.toContain("can_write []");
  });

  test.each([1, 3])("a client is dropped before it hears anything where preconnect says so: exit code %d", async (status) => {
    const { plugin } = logged(`config) ;; preconnect) echo not you >&2; exit ${status} ;;`);
    await using server = await serve(plugin);
    await expect(connect(server.uri as string)).rejects.toMatchObject({ message: expect.not.stringContaining("not you") });
  });

  test("an open that fails in the middle is closed", async () => {
    const { plugin, calls } = logged("config) ;; open) echo h ;; can_flush) echo EPERM no >&2; exit 1 ;;");
    await expect(openDisk(plugin)).rejects.toMatchObject({ message: "sh: can_flush: no", code: "EPERM" });
    expect(calls().slice(-3)).toEqual(["can_flush [h]", "close [h]", "unload"]);
  });
});

describe("what a script prints", () => {
  test("sizes, block sizes, a description, and what it can do", async () => {
    await using disk = await opened(
      `get_size) echo ' 3M ' ;; block_size) echo 512 4k 1M ;; export_description) printf 'mine\\n' ;; is_rotational|can_multi_conn) ;;`,
    );
    expect(disk.size).toBe(3n * 2n ** 20n);
    expect(disk.blockSize).toEqual({ minimum: 512, preferred: 4096, maximum: 2 ** 20 });
    expect(disk.description).toBe("mine");
    expect(disk.capabilities).toMatchObject({ write: false, rotational: true, multiConn: true, cache: "none", extents: false });
  });

  test.each<[string, string, string]>([
    ["get_size", "echo 1X", 'sh: get_size: it printed "1X": expected a size, such as 1048576 or 1M'],
    ["get_size", "true", 'sh: get_size: it printed "": expected a size, such as 1048576 or 1M'],
    ["get_size", "exit 2", "sh: get_size: the script has no such method (exit code 2)"],
    ["get_size", "exit 3", "sh: get_size: exit code 3 (false) is no answer to this"],
    ["block_size", "echo 1 512", 'sh: block_size: it printed "1 512": expected three sizes, the minimum, preferred and maximum'],
    ["can_cache", "echo maybe", 'sh: can_cache: it printed "maybe": expected none, emulate or native'],
  ])("%s: %s is refused", async (method, script, message) => {
    await expect(opened(`${method}) ${script} ;;`)).rejects.toMatchObject({ message });
  });

  test("three zeroes are no block sizes", async () => {
    await using disk = await opened("block_size) echo 0 0 0 ;;");
    expect(disk.blockSize).toBeUndefined();
  });

  test("FUA is not emulated where there is nothing to flush", async () => {
    await using disk = await opened("can_write) ;; can_fua) echo emulate ;;");
    expect(disk.capabilities.fua).toBe("none");
  });

  test("extents, by words, numbers or nothing", async () => {
    await using disk = await opened(
      `can_extents) ;; extents) echo 0 1k; echo "  1k 1k  hole,zero "; echo 2k 1k 1; echo 3k 1k 0x2; echo 4k 1k later,zero; echo 5k 1019k ;;`,
    );
    expect(await disk.extents(0n, disk.size)).toEqual([
      { offset: 0n, length: 1024n, hole: false, zero: false },
      { offset: 1024n, length: 1024n, hole: true, zero: true },
      { offset: 2048n, length: 1024n, hole: true, zero: false },
      { offset: 3072n, length: 2048n, hole: false, zero: true },
      { offset: 5120n, length: 1043456n, hole: false, zero: false },
    ]);
  });

  test.each([
    ["echo 0", '"0"'],
    ["echo 0 1k hole zero", '"0 1k hole zero"'],
    ["echo x 1k", '"x"'],
    ["echo 0 1k; echo", '""'],
  ])("extents: %s is refused", async (script, shown) => {
    await using disk = await opened(`can_extents) ;; extents) ${script} ;;`);
    await expect(disk.extents(0n, 512n)).rejects.toMatchObject({ code: "EIO", message: expect.stringContaining(shown) });
  });

  test.each<[string, readonly { name: string; description?: string }[]]>([
    ["printf 'a\\nb b\\n'", [{ name: "a" }, { name: "b b" }]],
    ["printf 'NAMES\\nNAMES\\n\\nc'", [{ name: "NAMES" }, { name: "" }, { name: "c" }]],
    ["printf 'INTERLEAVED\\na\\nfirst\\nb\\n\\nc\\n'", [{ name: "a", description: "first" }, { name: "b" }, { name: "c" }]],
    [
      "printf 'NAMES+DESCRIPTIONS\\na\\nb\\nfirst\\nsecond\\n'",
      [
        { name: "a", description: "first" },
        { name: "b", description: "second" },
      ],
    ],
    ["printf 'NAMES+DESCRIPTIONS\\na\\nb\\nfirst\\n'", [{ name: "a", description: "first" }, { name: "b" }]],
    ["true", []],
    ["exit 2", [{ name: "the default" }]],
  ])("a list of exports: %s", async (script, list) => {
    const { plugin } = logged(`config) ;; list_exports) ${script} ;; default_export) echo the default; echo another ;;`);
    await using server = await serve(plugin);
    expect(await listExports(server.uri as string)).toEqual(list);
  });

  test("the default export is the one that is opened where none is named", async () => {
    const { plugin, calls } = logged("config) ;; default_export) echo INTERLEAVED; echo first ;;");
    await using disk = await openDisk(plugin);
    expect(disk.size).toBe(2n ** 20n);
    expect(calls()).toContain("open [false] [first] [false]");
  });

  test.each([
    ["head -c 511 /dev/zero", "sh: pread: it printed 511 bytes, and 512 were asked for"],
    ["head -c 513 /dev/zero", "sh: pread: it printed more than the 512 bytes that it may"],
    ["cat /dev/zero", "sh: pread: it printed more than the 512 bytes that it may"],
    ["true", "sh: pread: it printed 0 bytes, and 512 were asked for"],
  ])("a read is exactly as long as it has to be: %s", async (script, message) => {
    await using disk = await opened(`pread) ${script} ;;`);
    await expect(disk.read(new Uint8Array(512), 0n)).rejects.toMatchObject({ code: "EIO", message });
  });
});

describe("how a script ends", () => {
  test.each<[string, string, string]>([
    ["echo 'ENOSPC  the disk is full' >&2; echo more >&2; exit 1", "ENOSPC", "sh: flush: the disk is full"],
    ["echo enospc >&2; exit 1", "ENOSPC", "sh: flush: ENOSPC"],
    ["printf EINVAL >&2; exit 127", "EINVAL", "sh: flush: EINVAL"],
    ["echo EINVALID option >&2; exit 1", "EIO", "sh: flush: EINVALID option"],
    ["echo 'no luck' >&2; exit 9", "EIO", "sh: flush: no luck"],
    ["echo ENOSPC; exit 1", "EIO", "sh: flush: it ended with exit code 1"],
    ["kill -9 $$", "EIO", "sh: flush: it was ended by SIGKILL"],
    ["exit 2", "EIO", "sh: flush: the script has no such method (exit code 2)"],
    ["exit 3", "EIO", "sh: flush: exit code 3 (false) is no answer to this"],
  ])("%s is %s", async (script, code, message) => {
    await using disk = await opened(`can_flush) ;; flush) ${script} ;;`);
    await expect(disk.flush()).rejects.toMatchObject({ code, message });
  });

  test.each(["config", "config_complete", "thread_model", "get_ready", "open", "export_description", "block_size", "can_fua", "close"])(
    "exit code 3 is not taken for success: %s",
    async (method) => {
      const { plugin } = logged(`${method}) exit 3 ;; config|can_write) ;;`);
      const tried = openDisk(plugin).then((disk) => disk.close());
      await expect(tried).rejects.toMatchObject({ code: "EIO", message: `sh: ${method}: exit code 3 (false) is no answer to this` });
    },
  );

  test("what it says on standard error means nothing when it succeeds", async () => {
    await using disk = await opened("can_flush) ;; flush) echo ENOSPC >&2 ;;");
    await disk.flush();
  });

  test("its words stay here: a client gets to know the code alone", async () => {
    const { plugin } = logged("config|can_flush) ;; flush) echo ENOSPC no room in /secret >&2; exit 1 ;;");
    await using server = await serve(plugin);
    await using disk = await connect(server.uri as string);
    await expect(disk.flush()).rejects.toMatchObject({ code: "ENOSPC", message: expect.not.stringContaining("secret") });
  });

  test("ENOTSUP to zero has zeroes written instead", async () => {
    const { plugin, calls } = logged("config|can_write|can_zero) ;; zero) echo EOPNOTSUPP >&2; exit 1 ;; pwrite) cat >/dev/null ;;");
    await using disk = await openDisk(plugin);
    await disk.zero(0n, 4096n);
    expect(calls().slice(-2)).toEqual(["zero [] [4096] [0] [may_trim]", "pwrite [] [4096] [0] []"]);
  });

  test.each([
    [4, undefined],
    [5, "ESHUTDOWN"],
  ])("exit code %d ends the server", async (status, code) => {
    const { plugin } = logged(`config|can_flush) ;; flush) exit ${status} ;;`);
    await using server = await serve(plugin);
    await using disk = await connect(server.uri as string);
    if (code === undefined) await disk.flush();
    else await expect(disk.flush()).rejects.toMatchObject({ code });
    await server.closed;
  });

  test.each([
    [7, undefined],
    [8, "ESHUTDOWN"],
  ])("exit code %d lets the client go once it has its answer", async (status, code) => {
    const { plugin } = logged(`config|can_flush) ;; flush) exit ${status} ;;`);
    await using server = await serve(plugin);
    const disk = await connect(server.uri as string);
    if (code === undefined) await disk.flush();
    else await expect(disk.flush()).rejects.toMatchObject({ code });
    await vi.waitFor(() => expect(disk.read(new Uint8Array(1), 0n)).rejects.toBeDefined());
    await disk.close().catch(() => undefined);
    await using other = await connect(server.uri as string);
    await other.read(new Uint8Array(1), 0n);
  });

  test("exit code 6 lets the client go without an answer", async () => {
    const { plugin } = logged("config|can_flush) ;; flush) exit 6 ;;");
    await using server = await serve(plugin);
    const disk = await connect(server.uri as string);
    await expect(disk.flush()).rejects.toMatchObject({ code: "ECONNRESET" });
    await disk.close().catch(() => undefined);
  });

  test("an error of its own goes before what the exit code would say", async () => {
    const { plugin } = logged("config|can_flush) ;; flush) echo ENOMEM >&2; exit 5 ;;");
    await using disk = await openDisk(plugin);
    await expect(disk.flush()).rejects.toMatchObject({ code: "ENOMEM" });
  });

  test("a client that goes has the script ended that it waits for", async () => {
    const folder = tree();
    const { plugin } = logged(`config) ;; pread) echo $$ > ${folder}/pid; sleep 1000 ;;`);
    const controller = new AbortController();
    const disk = await openDisk(plugin, { signal: controller.signal });
    const read = disk.read(new Uint8Array(512), 0n) as Promise<void>;
    await vi.waitFor(() => expect(existsSync(`${folder}/pid`) && readFileSync(`${folder}/pid`, "utf8")).toMatch(/\n$/), 10_000);
    controller.abort(new Error("gone"));
    await expect(read).rejects.toThrow("gone");
    expect(() => process.kill(Number(readFileSync(`${folder}/pid`, "utf8")), 0)).toThrow();
    await disk.close();
  });

  test.each<[string, string]>([
    ["config", "sh: config: not that"],
    ["config_complete", "sh: config_complete: not that"],
    ["thread_model", "sh: thread_model: not that"],
    ["get_ready", "sh: get_ready: not that"],
    ["after_fork", "sh: after_fork: not that"],
    ["load", "sh: load: not that"],
  ])("one that fails in %s does not start, and leaves nothing behind", async (method, message) => {
    const folder = tree();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { plugin } = logged(`${method}) echo EINVAL not that >&2; exit 1 ;; config) ;;`);
    const before = readdirSync(folder);
    await expect(openDisk(plugin)).rejects.toMatchObject({ code: "EINVAL", message });
    expect(readdirSync(folder)).toEqual(before);
  });

  test("parameters need a config method", async () => {
    const { plugin } = logged("");
    await expect(openDisk(plugin)).rejects.toMatchObject({
      message: "sh: the script does not take the parameter a=b c: it has no config method",
    });
  });
});

describe.skipIf(process.platform === "win32")("standard input, output and error", () => {
  test("are pipes, which have names", async () => {
    await using disk = await opened(
      "can_write|can_flush) ;; pwrite) cat /dev/stdin > $tmpdir/f ;; pread) cat $tmpdir/f > /dev/stdout ;; flush) echo ENOSPC by name > /dev/stderr; exit 1 ;;",
    );
    await disk.write(Buffer.alloc(300_000, "z"), 0n);
    const target = Buffer.alloc(300_000);
    await disk.read(target, 0n);
    expect(target.equals(Buffer.alloc(300_000, "z"))).toBe(true);
    await expect(disk.flush()).rejects.toMatchObject({ code: "ENOSPC", message: "sh: flush: by name" });
  });

  test("need not be read", async () => {
    await using disk = await opened("can_write) ;; pwrite) ;;");
    await disk.write(new Uint8Array(300_000), 0n);
  });

  test("are read to their end, whoever holds them", async () => {
    await using disk = await opened("can_flush) ;; flush) (sleep 0.1; echo ENOSPC late >&2) & exit 1 ;;");
    await expect(disk.flush()).rejects.toMatchObject({ code: "ENOSPC" });
  });
});

describe("how many go on at once", () => {
  /** A script in which each read says how many are going on, at the most, while it does. */
  function counting(model: string): Plugin {
    return sh({
      source: `case "$1" in
        thread_model) echo ${model} ;;
        get_size) echo 1M ;;
        open) mktemp -u XXXXXXXX ;;
        pread) mkdir -p $tmpdir/now; touch $tmpdir/now/$$; i=0; most=0
          while [ $i -lt 15 ]; do n=$(ls $tmpdir/now | wc -l); [ $n -gt $most ] && most=$n; i=$((i+1)); sleep 0.01; done
          rm $tmpdir/now/$$; printf %s $most ;;
        *) exit 2 ;;
        esac`,
    });
  }

  /** The most that two clients with two reads each had going on. */
  async function most(plugin: Plugin): Promise<number> {
    await using one = await openDisk(plugin);
    await using other = await openDisk(plugin);
    const reads = [one, other, one, other].map(async (disk, i) => {
      const target = Buffer.alloc(1);
      await disk.read(target, BigInt(i));
      return Number(target.toString());
    });
    return Math.max(...(await Promise.all(reads)));
  }

  test.each([
    ["serialize_all_requests", 1],
    ["nonsense", 1],
    ["serialize_requests", 2],
    ["parallel", 4],
  ])("thread_model %s: %d", async (model, number) => {
    expect(await most(counting(model))).toBe(number);
  });

  test("serialize_connections: the next client waits until the one before it is gone, or gives up", async () => {
    const plugin = counting("serialize_connections");
    const one = await openDisk(plugin);
    const controller = new AbortController();
    const impatient = openDisk(plugin, { signal: controller.signal });
    const patient = openDisk(plugin);
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    let waiting = true;
    void patient.then(() => (waiting = false));
    await one.read(new Uint8Array(1), 0n);
    expect(waiting).toBe(true);
    await one.close();
    await (await patient).close();
  });
});

describe("what sh() takes", () => {
  test.each<[unknown, string]>([
    [{}, "sh() takes either a script, by its path, or the source of one"],
    [{ script: "a", source: "b" }, "sh() takes either a script, by its path, or the source of one"],
    [{ script: "" }, "option script: : expected a text"],
    [{ source: 5 }, "option source: 5: expected a text"],
    [{ source: "x", parameters: { a: 1 } }, "option parameters: a=1: expected names and values as strings"],
    [{ source: "x", parameters: [["", "1"]] }, "option parameters: =1: expected names and values as strings"],
  ])("refuses %o", (options, message) => {
    expect(() => sh(options as { script: string })).toThrow(message);
  });

  test("a script in a file: any language, and a name that would be looked for elsewhere", async () => {
    const folder = tree({
      "disk.mjs": `#!${process.execPath}\nif (process.argv[2] === "get_size") console.log("7k"); else process.exit(2);\n`,
    });
    chmodSync(join(folder, "disk.mjs"), 0o755);
    await using disk = await openDisk(sh({ script: join(folder, "disk.mjs") }));
    expect(disk.size).toBe(7168n);
  });

  test("a script that is not there, or may not be executed, is refused when it starts", async () => {
    const folder = tree({ "disk.sh": "" });
    await expect(openDisk(sh({ script: join(folder, "none.sh") }))).rejects.toMatchObject({
      code: "ENOENT",
      message: `sh: ${folder}/none.sh: there is no such script`,
    });
    await expect(openDisk(sh({ script: join(folder, "disk.sh") }))).rejects.toMatchObject({
      code: "EACCES",
      message: `sh: ${folder}/disk.sh: it may not be executed: chmod +x ${folder}/disk.sh`,
    });
  });
});

describe("on the command line", () => {
  const script = `#!/bin/sh
case "$1" in
  magic_config_key) echo file ;;
  config) [ "$2" = no ] && { echo "no $2 please" >&2; exit 1; }; echo "$2=$3" >> $tmpdir/config ;;
  dump_plugin) echo "config=$(cat $tmpdir/config | tr '\\n' ' ')"; echo has=more ;;
  get_size) stat -c %s $tmpdir/config ;;
  pread) tail -c +$(($4+1)) $tmpdir/config | head -c $3 ;;
  *) exit 2 ;;
esac
`;

  async function serveCommand(args: readonly string[], input = ""): Promise<{ code: number; stdout: string; stderr: string }> {
    const host = testHost({ ...process.env });
    (host.stdin as unknown as NodeJS.WritableStream).end(input);
    const code = await main(["serve", ...args], host, { plugins, filters: [] });
    return { code, ...host.printed };
  }

  function file(): string {
    const path = join(tree(), "disk.sh");
    writeFileSync(path, script, { mode: 0o755 });
    return path;
  }

  test("--dump-plugin asks the script", async () => {
    expect((await serveCommand(["--dump-plugin", "sh", file(), "x=1", "path"])).stdout).toContain(
      "magic_config_key=script\nhas_config=1\nmax_known_status=8\nconfig=x=1 file=path \nhas=more\n",
    );
    expect((await serveCommand(["--dump-plugin", "sh"])).stdout).toMatch(/max_known_status=8\n$/);
  });

  test("- reads it from standard input", async () => {
    const out = join(tree(), "out");
    const { code, stderr } = await serveCommand(["-U", "-", "sh", "-", "a=b", "--run", `echo "$uri" > ${out}`], script);
    expect([code, stderr]).toEqual([0, ""]);
    expect(readFileSync(out, "utf8")).toMatch(/^nbd\+unix:/);
  });

  test("says what is wrong", async () => {
    expect((await serveCommand(["sh"])).stderr).toContain("sh: script= is missing");
    expect((await serveCommand(["sh", "x=1", file()])).stderr).toContain(
      "script= is missing: it comes before what the script itself takes",
    );
    expect((await serveCommand(["-U", "-", "sh", "/no/such", "--run", "true"])).stderr).toContain("sh: /no/such: there is no such script");
    expect((await serveCommand(["-U", "-", "sh", file(), "no=1", "--run", "true"])).stderr).toContain("sh: config: no no please");
  });

  describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "side by side with nbdkit", () => {
    test("a script with parameters", async () => {
      const { content } = await expectSame(["sh", file(), "a=b", "a bare value", "c=d=e"]);
      expect(content.toString()).toBe("a=b\nfile=a bare value\nc=d=e\n");
    });

    describe.each([
      ["serialize_connections", { sameClient: false }],
      ["serialize_all_requests", { sameClient: false, otherClient: false }],
      ["nonsense", { sameClient: false, otherClient: false }],
      ["serialize_requests", { sameClient: false, otherClient: true }],
      ["parallel", { sameClient: true, otherClient: true }],
    ] as const)("thread_model %s", (model, expected) => {
      /** Each read waits for another one to be there too, and says whether there was: not for long where none can come. */
      function meeting(patience: number): string {
        const path = join(tree(), "meeting.sh");
        const lines = [
          "#!/bin/sh",
          'case "$1" in',
          `  thread_model) echo ${model} ;;`,
          "  get_size) echo 1M ;;",
          "  can_multi_conn) ;;",
          "  pread) mkdir -p $tmpdir/at; touch $tmpdir/at/$4; met=0; left=$4; i=0",
          `    while [ $i -lt ${patience} ]; do [ $(ls $tmpdir/at | wc -l) -gt 1 ] && { met=1; break; }; i=$((i+1)); sleep 0.02; done`,
          // Who has been met may not have looked yet.
          "    [ $met = 1 ] || rm $tmpdir/at/$4; printf $met ;;",
          "  *) exit 2 ;;",
          "esac",
        ];
        writeFileSync(path, lines.join("\n"), { mode: 0o755 });
        return path;
      }

      /** Whether two reads that were sent together went on together. */
      async function met(who: Who, clients: 1 | 2, possible: boolean): Promise<boolean> {
        const args = ["sh", meeting(possible ? 1000 : 5)];
        await using server = who === "diskwright" ? await serve(sh({ script: args[1] as string })) : undefined;
        const uri = (server?.uri as string | undefined) ?? (await nbdkit("unix", args));
        await using one = await connect(uri);
        await using other = clients === 1 ? one : await connect(uri);
        const said = [Buffer.alloc(1), Buffer.alloc(1)] as const;
        await Promise.all([one.read(said[0], 1n), other.read(said[1], 2n)]);
        expect(said[0].toString()).toBe(said[1].toString());
        return said[0].toString() === "1";
      }

      test.each(["nbdkit", "diskwright"] as const)("requests of one client, by %s", async (who) => {
        expect(await met(who, 1, expected.sameClient)).toBe(expected.sameClient);
      });

      // With serialize_connections there are no two clients at once.
      if ("otherClient" in expected) {
        test.each(["nbdkit", "diskwright"] as const)("requests of two clients, by %s", async (who) => {
          expect(await met(who, 2, expected.otherClient)).toBe(expected.otherClient);
        });
      }

      test("both say so, to the log and to --dump-plugin", async () => {
        const script = meeting(1);
        const told = await Promise.all(
          (["nbdkit", "diskwright"] as const).map(async (who) => {
            const log = join(tree(), "log");
            await command(who, ["-U", "-", "--filter=log", "sh", script, `logfile=${log}`, "--run", "true"]);
            const dumped =
              who === "nbdkit"
                ? (await run("nbdkit", ["--dump-plugin", "sh", script])).stdout
                : (await serveCommand(["--dump-plugin", "sh", script])).stdout;
            const inLog = /Ready thread_model=(\d)/.exec(readFileSync(log, "utf8"))?.[1];
            // We have no number for that.
            return [inLog === "0" ? "1" : inLog, /^thread_model=.*$/m.exec(dumped)?.[0]];
          }),
        );
        expect(told[1]).toEqual(told[0]);
      });
    });

    test("a script that knows extents", async () => {
      const path = join(tree(), "extents.sh");
      writeFileSync(
        path,
        `#!/bin/sh\ncase "$1" in get_size) echo 10M ;; pread) head -c $3 /dev/zero ;; can_extents) ;; extents) echo 0 1M; echo 1M 9M hole,zero ;; *) exit 2 ;; esac`,
        { mode: 0o755 },
      );
      const { map } = await expectSame(["sh", path]);
      expect(map.length).toBe(2);
    });

    test.each<[string, readonly string[]]>([
      ["none", []],
      ["no such script", ["/no/such/script"]],
      ["a parameter first", ["x=1", "/bin/true"]],
      ["a config that fails", ["FILE", "no=1"]],
      ["a file that may not be executed", ["/etc/passwd"]],
    ])("both refuse %s", async (_, args) => {
      const path = file();
      await expectBothRefuse(["sh", ...args.map((arg) => (arg === "FILE" ? path : arg))]);
    });
  });
});
