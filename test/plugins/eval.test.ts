// The eval plugin: small scripts, one for each method.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { plugins } from "../../src/cli/plugins.ts";
import { type EvalOptions, evalScripts, openDisk, type ScriptMethod } from "../../src/index.ts";
import { evalMethods } from "../../src/plugins/eval.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { testHost } from "../cli/fixtures/host.ts";
import { command, expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const zeroes = { get_size: "echo 64k", pread: "head -c $3 /dev/zero" } as const;

// Each request is a process: on a busy machine that adds up.
vi.setConfig({ testTimeout: 60_000 });

describe("the conformance suite", () => {
  testPlugin({
    test: (name, run) => test(name, { timeout: 60_000 }, run),
    factory: () => evalScripts({ methods: zeroes }),
    content: new Uint8Array(64 * 1024),
    expect: { write: false, extents: false, cache: "none" },
    routes: ["over a socket"],
    timeout: 60_000,
  });
});

describe("what a script is there for, the disk can do", () => {
  test.each<[ScriptMethod, string]>([
    ["pwrite", "write"],
    ["flush", "flush"],
    ["extents", "extents"],
  ])("%s", async (method, capability) => {
    await using disk = await openDisk(evalScripts({ methods: { ...zeroes, [method]: "exit 0" } }));
    expect(disk.capabilities).toMatchObject({ write: false, flush: false, trim: false, zero: false, extents: false, [capability]: true });
  });

  test.each<ScriptMethod>(["trim", "zero"])("%s, where it can be written", async (method) => {
    await using disk = await openDisk(evalScripts({ methods: { ...zeroes, [method]: "exit 0", pwrite: "cat >/dev/null" } }));
    expect(disk.capabilities).toMatchObject({ write: true, trim: false, zero: false, [method]: true });
  });

  test("cache", async () => {
    await using disk = await openDisk(evalScripts({ methods: { ...zeroes, cache: "exit 0" } }));
    expect(disk.capabilities.cache).toBe("native");
  });

  test("unless another script says otherwise", async () => {
    const methods = { ...zeroes, pwrite: "cat", can_write: "exit 3", cache: "exit 0", can_cache: "echo none" };
    await using disk = await openDisk(evalScripts({ methods }));
    expect(disk.capabilities).toMatchObject({ write: false, cache: "none" });
  });
});

test("a script that is missing is not run; missing= is, with all that the method would get", async () => {
  const log = join(tree(), "log");
  writeFileSync(log, "");
  const missing = `echo "$@" >> ${log}; [ "$1" = config ] && exit 0; exit 2`;
  await using disk = await openDisk(evalScripts({ methods: { ...zeroes, pwrite: "cat >/dev/null" }, missing, parameters: { a: "1" } }));
  expect(disk.size).toBe(65_536n);
  const calls = readFileSync(log, "utf8").trim().split("\n");
  expect(calls).toContain("config a 1");
  expect(calls).toContain("open false  false");
  expect(calls.filter((call) => /^(load|get_size|can_write)/.test(call))).toEqual([]);
});

test.each<[unknown, string]>([
  [{ methods: { pwirte: "" } }, "option methods: there is no method pwirte: the methods are after_fork,"],
  [{ methods: { load: "" } }, "option methods: there is no method load:"],
  [{ methods: { pread: 1 } }, "the script of pread: expected a text, got number"],
  [{ methods: {}, missing: 2 }, "the script of missing: expected a text, got number"],
  [{ methods: {}, parameters: { a: 1 } }, "option parameters: a=1: expected names and values as strings"],
])("evalScripts() refuses %o", (options, message) => {
  expect(() => evalScripts(options as EvalOptions)).toThrow(message);
});

test("parameters need a config script", async () => {
  await expect(openDisk(evalScripts({ methods: zeroes, parameters: { a: "1" } }))).rejects.toThrow(
    "eval: the script does not take the parameter a=1: it has no config method",
  );
});

test("--dump-plugin", async () => {
  const host = testHost({ ...process.env });
  await main(["serve", "--dump-plugin", "eval", "dump_plugin=echo more=$tmpdir; exit 0"], host, { plugins, filters: [] });
  expect(host.printed.stdout).toMatch(/^name=eval\n[\s\S]*max_known_status=8\nmore=\/.*\n$/);
});

test("--help lists every method", async () => {
  const host = testHost({ ...process.env });
  await main(["serve", "eval", "--help"], host, { plugins, filters: [] });
  for (const method of [...evalMethods, "missing"]) expect(host.printed.stdout).toContain(`${method}=STRING`);
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "nbdsh", "dd"], "side by side with nbdkit", () => {
  /** The bytes 0 to 255, again and again. */
  const counting = `i=$4; end=$(($4+$3)); while [ $i -lt $end ]; do printf "\\\\$(printf %o $((i%256)))"; i=$((i+1)); done`;

  test.each<[string, readonly string[]]>([
    ["zeroes, as in the manual", ["get_size= echo 4M ", "pread= dd if=/dev/zero count=$3 iflag=count_bytes "]],
    ["bytes that depend on the offset", ["get_size=echo 2000", `pread=${counting}`]],
    ["a handle", ["open=echo 77", "get_size=echo $(($2*10))", `pread=${counting}`]],
    ["missing=", ["missing=case $1 in get_size) echo 3k;; pread) head -c $3 /dev/zero;; *) exit 2;; esac"]],
    [
      "parameters",
      [
        "config=echo $2=$3 >> $tmpdir/f",
        "get_size=stat -c %s $tmpdir/f",
        "pread=tail -c +$(($4+1)) $tmpdir/f | head -c $3",
        "k=v",
        "l=a b",
      ],
    ],
    ["extents", ["get_size=echo 10M", "pread=head -c $3 /dev/zero", "extents=echo 0 1M; echo 1M 2M hole; echo 3M 7M hole,zero"]],
    ["block sizes", ["get_size=echo 1M", "pread=head -c $3 /dev/zero", "block_size=echo 512 4k 64k"]],
    ["in parallel", ["get_size=echo 1M", "pread=head -c $3 /dev/zero", "thread_model=echo parallel"]],
  ])("%s", async (_, args) => {
    await expectSame(["eval", ...args]);
  });

  test.each<[string, readonly string[]]>([
    ["no size", ["pread=true"]],
    ["a size that is none", ["get_size=echo 1X", "pread=true"]],
    ["an unknown parameter", ["get_size=echo 1M", "pread=true", "foo=1"]],
    ["a bare value", ["get_size=echo 1M", "pread=true", "foo"]],
    ["config_complete", ["get_size=echo 1M", "pread=true", "config_complete=echo bad >&2; exit 1"]],
    ["open", ["get_size=echo 1M", "pread=true", "open=echo EPERM no >&2; exit 1"]],
    ["preconnect", ["get_size=echo 1M", "pread=true", "preconnect=exit 1"]],
    ["can_write", ["get_size=echo 1M", "pread=true", "can_write=exit 1"]],
    ["thread_model", ["get_size=echo 1M", "pread=true", "thread_model=exit 1"]],
    ["block_size", ["get_size=echo 1M", "pread=true", "block_size=echo 1 512"]],
  ])("both refuse: %s", async (_, args) => {
    await expectBothRefuse(["eval", ...args]);
  });

  test.each([
    ["head -c 5 /dev/zero", "Input/output error"],
    ["head -c 50 /dev/zero", "Input/output error"],
    ["echo ENOSPC full >&2; exit 1", "No space left on device"],
    ["echo EROFS >&2; exit 1", "Operation not permitted"],
    ["echo einval >&2; exit 9", "Invalid argument"],
    ["echo EINVALID >&2; exit 1", "Input/output error"],
    ["echo ENOENT >&2; exit 1", "Input/output error"],
    ["exit 2", "Input/output error"],
    ["exit 3", "Input/output error"],
    ["kill -9 $$", "Input/output error"],
  ])("a read that fails: %s", async (script, message) => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const out = join(tree(), "out");
      const run = `PATH=/usr/bin:$PATH nbdsh -u "$uri" -c 'h.pread(10, 0)' 2> ${out}`;
      await command(who, ["-U", "-", "eval", "get_size=echo 1M", `pread=${script}`, "--run", run]);
      expect(readFileSync(out, "utf8"), who).toContain(message);
    }
  });

  test("the file plugin of the manual", async () => {
    const path = join(tree(), "disk.img");
    writeFileSync(path, Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251)));
    await expectSame([
      "eval",
      'config=ln -sf "$(realpath "$3")" $tmpdir/file',
      "get_size=stat -Lc %s $tmpdir/file",
      "pread=dd if=$tmpdir/file skip=$4 count=$3 iflag=count_bytes,skip_bytes",
      "pwrite=dd of=$tmpdir/file seek=$4 conv=notrunc oflag=seek_bytes",
      `file=${path}`,
    ]);
  });
});
