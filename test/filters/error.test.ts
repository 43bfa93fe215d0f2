// The error filter.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type Disk, error, memory, openDisk, pipe } from "../../src/index.ts";
import { type Call, classRam, ram, recorded, testFilter } from "../../src/testing/index.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

/** What becomes of one request of each kind: the error's code, or `done`. */
async function tryAll(disk: Disk): Promise<Record<string, string>> {
  const requests = {
    read: () => disk.read(new Uint8Array(512), 0n),
    write: () => disk.write(new Uint8Array(512), 0n),
    trim: () => disk.trim(0n, 512n),
    zero: () => disk.zero(0n, 512n),
    extents: () => disk.extents(0n, 512n),
    cache: () => disk.cache(0n, 512n),
    flush: () => disk.flush(),
  };
  const became: Record<string, string> = {};
  for (const [kind, request] of Object.entries(requests)) {
    try {
      await request();
      became[kind] = "done";
    } catch (failure) {
      became[kind] = (failure as { code: string }).code;
    }
  }
  return became;
}

const allDone = { read: "done", write: "done", trim: "done", zero: "done", extents: "done", cache: "done", flush: "done" };

describe("error", () => {
  describe("without a rate", () => {
    testFilter({ test, filter: () => error(), transparent: true });
  });

  describe("whose time has not come", () => {
    testFilter({
      test,
      routes: ["directly"],
      filter: () => error({ rate: 1, when: () => false }),
      transparent: true,
      takesAway: ["views"],
    });
  });

  it("does nothing by itself", async () => {
    await using disk = await openDisk(pipe(ram(4096), error()));
    expect(await tryAll(disk)).toEqual(allDone);
  });

  it("has every request fail with EIO, but for flushes", async () => {
    await using disk = await openDisk(pipe(ram(4096), error({ rate: "100%" })));
    expect(await tryAll(disk)).toEqual({
      read: "EIO",
      write: "EIO",
      trim: "EIO",
      zero: "EIO",
      extents: "EIO",
      cache: "EIO",
      flush: "done",
    });
  });

  it("keeps what fails from the disk below", async () => {
    const calls: Call[] = [];
    await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), error({ rate: 1 })));
    calls.length = 0;
    await tryAll(disk);
    expect(calls.map(String)).toEqual(["below: flush"]);
  });

  it.each(["EPERM", "EIO", "ENOMEM", "EINVAL", "ENOSPC", "ESHUTDOWN"] as const)("fails with %s", async (code) => {
    await using disk = await openDisk(pipe(ram(4096), error({ error: code, rate: 1 })));
    expect(() => disk.read(new Uint8Array(1), 0n)).toThrow(
      expect.objectContaining({ code, message: `injecting ${code} error into pread` }),
    );
  });

  it("can be about some kinds of requests", async () => {
    await using disk = await openDisk(pipe(ram(4096), error({ error: "ENOSPC", write: { rate: 1 }, zero: { rate: 1, error: "EPERM" } })));
    expect(await tryAll(disk)).toEqual({ ...allDone, write: "ENOSPC", zero: "EPERM" });
  });

  it("spares a kind of requests", async () => {
    await using disk = await openDisk(pipe(ram(4096), error({ rate: 1, read: { rate: 0 } })));
    expect((await tryAll(disk)).read).toBe("done");
  });

  it("fails zeroing as the client asks for it, also where the disk below zeroes by writing", async () => {
    await using disk = await openDisk(pipe(classRam(new Uint8Array(4096)), error({ zero: { rate: 1 } })));
    expect(await tryAll(disk)).toMatchObject({ write: "done", zero: "EIO" });
    await using other = await openDisk(pipe(classRam(new Uint8Array(4096)), error({ write: { rate: 1 } })));
    expect(await tryAll(other)).toMatchObject({ write: "EIO", zero: "done" });
  });

  it("fails as often as it is to", async () => {
    let turn = 0;
    const random = (): number => (turn++ % 10) / 10;
    await using disk = await openDisk(pipe(ram(4096), error({ rate: "30%", random })));
    const failed: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      try {
        await disk.read(new Uint8Array(1), 0n);
      } catch {
        failed.push(i);
      }
    }
    expect(failed).toEqual([0, 1, 2, 10, 11, 12]);
  });

  it("fails while there is a file", async () => {
    const file = join(tree(), "inject");
    await using disk = await openDisk(pipe(ram(4096), error({ rate: 1, file })));
    expect(await tryAll(disk)).toEqual(allDone);
    writeFileSync(file, "");
    expect((await tryAll(disk)).read).toBe("EIO");
    rmSync(file);
    expect(await tryAll(disk)).toEqual(allDone);
  });

  it("fails when it is told to", async () => {
    let now = false;
    await using disk = await openDisk(pipe(memory(4096), error({ rate: 1, when: () => now })));
    expect(await tryAll(disk)).toEqual(allDone);
    now = true;
    expect((await tryAll(disk)).read).toBe("EIO");
  });

  it("leaves the operations without a rate as they were", async () => {
    const below = ram(4096);
    await using disk = await openDisk(pipe(below, error({ write: { rate: 1 } })));
    expect(disk.views?.(0n, 10)).toHaveLength(1);
    expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
  });

  it.each([
    [{ error: "EFOO" }, 'error "EFOO": expected EPERM, EIO'],
    [{ write: { error: "eio" } }, 'write.error "eio": expected EPERM, EIO'],
    [{ rate: 2 }, "rate 2: that is more than always"],
    [{ read: { rate: "often" } }, 'read.rate "often": expected "10%"'],
  ])("refuses %j", (options, text) => expect(() => error(options as never)).toThrow(text));
});

describeWith(["nbdkit", "nbdsh"], "error, side by side with nbdkit", () => {
  const script = (result: string): string => `nbdsh -c '
def t(f,*a):
    try:
        f(*a)
        return "done"
    except nbd.Error as e: return e.errno
h.add_meta_context("base:allocation")
h.connect_uri("'"$uri"'")
r = [t(h.pread,512,0), t(h.pwrite,bytes(512),0), t(h.flush), t(h.trim,512,0), t(h.zero,512,0), t(h.cache,512,0), t(h.block_status,512,0,lambda *a: 0)]
open("${result}","w").write(" ".join(r))'`;

  it.each([
    [[]],
    [["error-rate=100%"]],
    [["error=ENOSPC", "error-pwrite-rate=100%", "error-zero-rate=1"]],
    [["error-rate=1", "error=EPERM", "error-pread=ESHUTDOWN"]],
    [["error-rate=1", "error-trim-rate=0", "error-extents=ENOMEM"]],
    [["error-rate=1", "error-file=/nonexistent/inject", "error-cache-file=/"]],
  ])("the client gets the same of %j", async (keys) => {
    const became: string[] = [];
    for (const who of ["nbdkit", "diskwright"] as const) {
      const result = join(tree(), "result");
      const { code, stderr } = await command(who, ["-U", "-", "--filter=error", "memory", "1M", ...keys, "--run", script(result)], {
        env: { PATH: `/usr/bin:${process.env.PATH}` },
      });
      expect(code, stderr).toBe(0);
      became.push(readFileSync(result, "utf8"));
    }
    expect(became[1]).toBe(became[0]);
    expect(became[0]?.split(" ")).toHaveLength(7);
  });

  it.each([["error=EFOO"], ["error-rate=101%"], ["error-rate=x"], ["error-pread-rate=-1"]])("both refuse %s", async (key) => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const { code } = await command(who, ["-U", "-", "--filter=error", "memory", "1M", key, "--run", "true"]);
      expect(code, who).toBe(1);
    }
  });
});
