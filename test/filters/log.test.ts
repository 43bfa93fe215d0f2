// The log filter.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it, test } from "vitest";
import { type LogEntry, type LogOptions, log, memory, openDisk, type Plugin, pipe, serve } from "../../src/index.ts";
import { classRam, fail, faulty, hold, ram, testFilter } from "../../src/testing/index.ts";
import { command, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { warning } from "../fixtures/warning.ts";

/** Lines without their timestamps, and a log that writes them. */
function lines(): { readonly written: string[]; readonly options: LogOptions } {
  const written: string[] = [];
  return { written, options: { to: (line) => written.push(line.slice(27)) } };
}

const NOW = Date.UTC(2026, 10, 21, 5, 12, 16);

describe("log", () => {
  describe("to a function", () => {
    testFilter({ test, filter: () => log({ to: () => undefined }), transparent: true });
  });

  describe("to nowhere", () => {
    testFilter({ test, routes: ["directly"], filter: () => log(), transparent: true });
  });

  it("writes down a client's life", async () => {
    const { written, options } = lines();
    const disk = await openDisk(pipe(ram(4096), log(options)));
    await disk.read(new Uint8Array(512), 0n);
    await disk.write(new Uint8Array(512), 512n, { fua: true });
    await disk.flush();
    await disk.close();
    expect(written).toEqual([
      "Ready thread_model=3",
      "Fork",
      'connection=1 Connect export="" tls=0 size=0x1000 minsize=0x0 prefsize=0x0 maxsize=0x0 write=1 flush=1 rotational=0 trim=1 zero=2 fua=2 extents=1 cache=2 fast_zero=1',
      "connection=1 Read id=1 offset=0x0 count=0x200 ...",
      "connection=1 ...Read id=1 return=0",
      "connection=1 Write id=2 offset=0x200 count=0x200 fua=1 ...",
      "connection=1 ...Write id=2 return=0",
      "connection=1 Flush id=3 ...",
      "connection=1 ...Flush id=3 return=0",
      "connection=1 Disconnect transactions=3",
    ]);
  });

  it("begins each line with the time, in UTC with microseconds", async () => {
    const written: string[] = [];
    const disk = await openDisk(pipe(ram(512), log({ to: (line) => written.push(line), now: () => NOW + 99.746 })));
    await disk.close();
    expect(written[0]).toBe("2026-11-21 05:12:16.099746 Ready thread_model=3");
  });

  it("tells the time of this machine", async () => {
    const times: number[] = [];
    const before = Date.now() - 100;
    const disk = await openDisk(pipe(ram(512), log({ to: (_line, { time }) => times.push(time) })));
    await disk.close();
    expect(times[0]).toBeGreaterThan(before);
    expect(times.at(-1)).toBeLessThan(Date.now() + 100);
  });

  it("says what was asked for and what became of it", async () => {
    const { written, options } = lines();
    const disk = await openDisk(pipe(ram(4096), faulty(fail("trim", { code: "ENOSPC" })), log(options)));
    await disk.zero(0n, 512n, { fua: false, noHole: true, fastZero: false });
    await disk.zero(0n, 512n, { fua: true, noHole: false, fastZero: true });
    await disk.write(new Uint8Array([1]), 0n);
    await disk.extents(0n, 4096n, { reqOne: false });
    await disk.cache(0n, 4096n);
    expect(() => disk.trim(0n, 512n)).toThrow("made on purpose");
    await disk.close();
    expect(written.slice(3, -1)).toEqual([
      "connection=1 Zero id=1 offset=0x0 count=0x200 trim=0 fua=0 fast=0 ...",
      "connection=1 ...Zero id=1 return=0",
      "connection=1 Zero id=2 offset=0x0 count=0x200 trim=1 fua=1 fast=1 ...",
      "connection=1 ...Zero id=2 return=0",
      "connection=1 Write id=3 offset=0x0 count=0x1 fua=0 ...",
      "connection=1 ...Write id=3 return=0",
      "connection=1 Extents id=4 offset=0x0 count=0x1000 req_one=0 ...",
      'connection=1 ...Extents id=4 extents=(0x0 0x200 "" 0x200 0xe00 "hole,zero") return=0',
      "connection=1 Cache id=5 offset=0x0 count=0x1000 ...",
      "connection=1 ...Cache id=5 return=0",
      "connection=1 Trim id=6 offset=0x0 count=0x200 fua=0 ...",
      "connection=1 ...Trim id=6 return=-1 error=ENOSPC",
    ]);
  });

  it("tells requests apart that are under way together", async () => {
    const { written, options } = lines();
    const held = hold("read");
    const disk = await openDisk(pipe(ram(4096), faulty(held), log(options)));
    const reading = disk.read(new Uint8Array(1), 0n);
    await disk.write(new Uint8Array(1), 1n);
    held.release();
    await reading;
    await disk.close();
    expect(written.slice(3, 7).map((line) => line.replace(/offset.*/, "…"))).toEqual([
      "connection=1 Read id=1 …",
      "connection=1 Write id=2 …",
      "connection=1 ...Write id=2 return=0",
      "connection=1 ...Read id=1 return=0",
    ]);
  });

  it("tells clients apart", async () => {
    const { written, options } = lines();
    const plugin = pipe(ram(4096), log(options));
    const one = await openDisk(plugin);
    const two = await openDisk(plugin);
    await two.read(new Uint8Array(1), 0n);
    await one.close();
    await two.close();
    expect(written.filter((line) => /Read id|Disc/.test(line))).toEqual([
      "connection=2 Read id=1 offset=0x0 count=0x1 ...",
      "connection=2 ...Read id=1 return=0",
      "connection=1 Disconnect transactions=0",
      "connection=2 Disconnect transactions=1",
    ]);
  });

  it("shows zeroing as the client asked for it, also where the disk below zeroes by writing", async () => {
    const { written, options } = lines();
    const disk = await openDisk(pipe(classRam(new Uint8Array(4096)), log(options)));
    await disk.zero(0n, 4096n);
    await disk.close();
    expect(written.filter((line) => /Zero|Write/.test(line))).toHaveLength(2);
    expect(written.find((line) => line.includes("Connect"))).toContain("zero=1 fua=1 extents=0 cache=1");
  });

  it("counts what is lent as read", async () => {
    const { written, options } = lines();
    const disk = await openDisk(pipe(ram(4096), log(options)));
    expect(disk.views?.(0n, 512)).toHaveLength(1);
    await disk.close();
    expect(written).toContain("connection=1 Read id=1 offset=0x0 count=0x200 ...");
  });

  it("answers at once when the disk does", async () => {
    await using disk = await openDisk(pipe(ram(4096), log({ to: () => undefined })));
    expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
    expect(disk.extents(0n, 4096n)).toBeInstanceOf(Array);
  });

  it("shows clients that are dropped, and lists of exports", async () => {
    const { written, options } = lines();
    let welcome = false;
    const below: Plugin = {
      ...memory(512),
      name: "listed",
      preconnect() {
        if (!welcome) throw Object.assign(new Error("not today"), { code: "EPERM" });
      },
      exports: () => [{ name: "plain" }, { name: 'x "y" $z' }],
    };
    const plugin = pipe(below, log(options));
    await using server = await serve(plugin, { listen: false });
    await expect(server.exports()).rejects.toThrow("not today");
    welcome = true;
    await server.exports();
    expect(written.slice(2)).toEqual([
      "Preconnect id=1 readonly=0 ...",
      "...Preconnect id=1 return=-1 error=EPERM",
      "Preconnect id=2 readonly=0 ...",
      "...Preconnect id=2 return=0",
      "ListExports id=1 readonly=0 tls=0 ...",
      '...ListExports id=1 exports=(plain "x \\"y\\" \\$z") return=0',
    ]);
  });

  it("writes a file anew, goes on in it, or adds to it", async () => {
    const file = join(tree(), "log");
    writeFileSync(file, "before\n");
    const count = (): number => readFileSync(file, "utf8").split("\n").length - 1;
    const anew = pipe(ram(512), log({ file }));
    await (await openDisk(anew)).close();
    expect(count()).toBe(4);
    await (await openDisk(anew)).close();
    expect(count()).toBe(8);
    await (await openDisk(pipe(ram(512), log({ file, append: true })))).close();
    expect(count()).toBe(12);
  });

  it("has each line in the file before the request is answered", async () => {
    const file = join(tree(), "log");
    await using disk = await openDisk(pipe(ram(512), log({ file })));
    await disk.read(new Uint8Array(1), 0n);
    expect(readFileSync(file, "utf8")).toMatch(/\.\.\.Read id=1 return=0\n$/);
  });

  it("writes one file for all disks that it is laid over", async () => {
    const file = join(tree(), "log");
    const noted = log({ file });
    const [one, two] = [await openDisk(pipe(ram(512), noted)), await openDisk(pipe(ram(512), noted))];
    await one.close();
    await two.read(new Uint8Array(1), 0n);
    await two.close();
    const text = readFileSync(file, "utf8");
    expect(text).toContain("connection=2 Read id=1");
    expect(text.match(/Disconnect/g)).toHaveLength(2);
  });

  it("writes to a stream", async () => {
    const to = new PassThrough();
    await (await openDisk(pipe(ram(512), log({ to })))).close();
    expect(String(to.read())).toMatch(/^[-\d]+ [:.\d]+ Ready thread_model=3\n/);
  });

  it("runs a script for each entry, in order, and waits for it", async () => {
    const file = join(tree(), "out");
    const script = `echo "$act $type \${connection-none} \${id-none} \${offset-none} $return $error" >> ${file}`;
    const disk = await openDisk(pipe(ram(4096), faulty(fail("read", { nth: 2 })), log({ script })));
    await disk.read(new Uint8Array(1), 0n);
    expect(() => disk.views?.(0n, 1)).not.toThrow();
    await expect(disk.read(new Uint8Array(1), 512n)).rejects.toThrow("made on purpose");
    await disk.close();
    expect(readFileSync(file, "utf8").trim().split("\n")).toEqual([
      "Ready PRINT none none none  ",
      "Fork PRINT none none none  ",
      "Connect PRINT 1 none none  ",
      "Read ENTER 1 1 0x0  ",
      "Read LEAVE 1 1 none 0 ",
      "Read ENTER 1 2 0x200  ",
      "Read LEAVE 1 2 none -1 EIO",
      "Disconnect PRINT 1 none none",
    ]);
  });

  it("is no failure of the disk when it fails", async () => {
    const entries: LogEntry[] = [];
    const { warned } = await warning(async () => {
      const to = (_line: string, entry: LogEntry): void => {
        entries.push(entry);
        throw new Error("no more paper");
      };
      const disk = await openDisk(pipe(ram(512), log({ to })));
      await disk.read(new Uint8Array(1), 0n);
      await disk.close();
      return {};
    });
    expect(entries).toHaveLength(6);
    expect(warned).toEqual(["diskwright: the app's log failed: no more paper"]);
  });

  it("does not start when its file cannot be made", async () => {
    await expect(openDisk(pipe(ram(512), log({ file: "/nonexistent/log" })))).rejects.toThrow("ENOENT");
  });

  it.each([
    [{ file: "" }, 'file "": expected a path'],
    [{ script: 5 }, "script 5: expected a script of the shell"],
    [{ file: "x", append: "yes" }, "append yes: expected true or false"],
    [{ to: 1 }, "to 1: expected a function or a stream"],
  ])("refuses %j", (options, text) => expect(() => log(options as never)).toThrow(text));
});

describeWith(["nbdkit", "nbdsh", "nbdinfo"], "log, side by side with nbdkit", () => {
  const python = `
def t(f,*a):
    try: f(*a)
    except nbd.Error: pass
h.add_meta_context("base:allocation")
h.set_opt_mode(True)
h.connect_uri(uri)
h.opt_list(lambda n,d: 0)
h.opt_go()
t(h.pread,512,0)
t(h.pwrite,b"x"*512,512)
t(h.pwrite,b"x"*512,1024,nbd.CMD_FLAG_FUA)
t(h.flush)
t(h.trim,4096,4096)
t(h.trim,4096,4096,nbd.CMD_FLAG_FUA)
t(h.zero,4096,8192)
t(h.zero,4096,8192,nbd.CMD_FLAG_NO_HOLE)
t(h.zero,4096,8192,nbd.CMD_FLAG_FUA|nbd.CMD_FLAG_NO_HOLE)
t(h.cache,4096,0)
t(h.block_status,65536,0,lambda *a: 0)
h.shutdown()
`;

  /** The log of one server, timestamps masked, without what a client gets: that is for the plugins to compare. */
  async function logOf(who: Who, ...keys: readonly string[]): Promise<string> {
    const root = tree({ "ops.py": python });
    const file = join(root, "log");
    const run = `nbdsh -c "uri='$uri'" -c "exec(open('${root}/ops.py').read())"`;
    const { code, stderr } = await command(who, ["-U", "-", "--filter=log", ...keys, `logfile=${file}`, "--run", run], {
      env: { PATH: `/usr/bin:${process.env.PATH}` },
    });
    expect(code, stderr).toBe(0);
    const text = readFileSync(file, "utf8");
    for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} /);
    return text.replace(/^.{27}/gm, "").replace(/(Connect export="" tls=0 size=0x100000 ).*/, "$1…");
  }

  it("the same requests give the same lines", async () => {
    const [theirs, ours] = [await logOf("nbdkit", "memory", "1M"), await logOf("diskwright", "memory", "1M")];
    expect(ours).toBe(theirs);
    expect(ours).toContain('connection=1 ...Extents id=11 extents=(0x0 0x8000 "" 0x8000 0x8000 "hole,zero") return=0');
  });

  it("so do requests that fail", async () => {
    const keys = ["--filter=error", "memory", "1M", "error=ENOSPC", "error-rate=100%"];
    expect(await logOf("diskwright", ...keys)).toBe(await logOf("nbdkit", ...keys));
  });

  it("so do lists of exports, and a client that gets none", async () => {
    const logs = await Promise.all(
      (["nbdkit", "diskwright"] as const).map(async (who) => {
        const file = join(tree(), "log");
        const keys = ["get_size=echo 1000", "list_exports=echo NAMES; echo plain; echo 'b c'", `pread=echo EPERM no >&2; exit 1`];
        const script = `nbdsh -c "
h.set_opt_mode(True)
h.connect_unix('$unixsocket')
h.opt_list(lambda n,d: 0)
h.opt_abort()"`;
        const { code, stderr } = await command(who, ["-U", "-", "--filter=log", "eval", ...keys, `logfile=${file}`, "--run", script], {
          env: { PATH: `/usr/bin:${process.env.PATH}` },
        });
        expect(code, stderr).toBe(0);
        return readFileSync(file, "utf8").replace(/^.{27}/gm, "");
      }),
    );
    expect(logs[1]).toBe(logs[0]);
    expect(logs[0]).toContain('...ListExports id=1 exports=(plain "b c") return=0');
  });
});
