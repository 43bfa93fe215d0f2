// What clients get: disks of their own, made by commands and functions, and errors that say what went wrong.

import { execFileSync } from "node:child_process";
import { createReadStream, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TmpdiskOptions, tmpdisk } from "@diskwright/tmpdisk";
import { connect, DiskError, openDisk, serve } from "diskwright";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { deferred } from "../../../test/fixtures/deferred.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { filesIn, open, textAt, within } from "./fixtures.ts";

const BLANK = 'truncate -s $size "$disk"';

describe("clients", () => {
  test("have a disk each, and nobody finds what another one wrote", async () => {
    await using server = await serve(tmpdisk("1M", within({ command: BLANK })));
    const [one, two] = await Promise.all([connect(server.uri as string), connect(server.uri as string)]);
    await one.write(Buffer.from("one"), 0n);
    await two.write(Buffer.from("two"), 0n);
    expect([await textAt(one, 3), await textAt(two, 3)]).toEqual(["one", "two"]);
    expect([one.size, one.capabilities.multiConn]).toEqual([2n ** 20n, false]);
    await Promise.all([one.close(), two.close()]);
    const three = await connect(server.uri as string);
    expect(await textAt(three, 3)).toBe("\0\0\0");
    await three.close();
  });

  test("may ask for any export", async () => {
    const plugin = tmpdisk("1M", within({ command: BLANK }));
    await using disk = await openDisk(plugin, { exportName: "whatever" });
    expect(disk.size).toBe(2n ** 20n);
  });

  test("who only read have a disk that is read-only", async () => {
    await using disk = await openDisk(tmpdisk("1M", within({ command: BLANK })), { readonly: true });
    expect(disk.capabilities.write).toBe(false);
  });

  test("flush and force writes at no cost: nothing of the disk outlives the server", async () => {
    const disk = await open("1M", { command: BLANK });
    expect(disk.capabilities).toMatchObject({ flush: true, fua: "native" });
    await disk.write(Buffer.from("x"), 0n, { fua: true });
    await disk.flush();
    expect(await textAt(disk, 1)).toBe("x");
  });

  test("leave nothing behind, and while they are there the disk has no name", async () => {
    const options = within({ command: BLANK });
    const disk = await open("1M", options);
    expect(filesIn(options.directory)).toEqual([]);
    expect(openFiles(options.directory)).toBe(1);
    await disk.close();
    expect(openFiles(options.directory)).toBe(0);
  });
});

describe("a command", () => {
  test("gets its parameters as variables, whatever is in them", async () => {
    const value = "a 'b' \"c\" $(touch hostile) `id` \\ \n; exit 1";
    const command = 'printf %s "$one$type$label" > "$disk"';
    const disk = await open(0, { command, parameters: { one: value, _two2: "" }, type: "../$x y", label: "'" });
    const text = `${value}../$x y'`;
    expect(await textAt(disk, text.length)).toBe(text);
    expect(disk.size).toBe(BigInt(text.length));
  });

  test("has a place for the disk that is absolute and has nothing in it, and the size in bytes", async () => {
    const disk = await open("1M", { command: 'case "$disk" in /*) [ -e "$disk" ] || printf %s "$size" > "$disk" ;; esac' });
    expect(await textAt(disk, 7)).toBe("1048576");
  });

  test("knows no type and label unless they are given, whatever the environment has", async () => {
    vi.stubEnv("label", "from outside");
    vi.stubEnv("type", "from outside");
    onTestFinished(() => void vi.unstubAllEnvs());
    const disk = await open(0, { command: 'printf "%s" "[$type$label]" > "$disk"' });
    expect(await textAt(disk, 2)).toBe("[]");
  });

  test("that fails is shown with the end of what it wrote to standard error, to the app alone", async () => {
    const plugin = tmpdisk(0, within({ command: "seq 2000 >&2; echo the last word >&2; exit 3" }));
    const error = (await openDisk(plugin).catch((refused: unknown) => refused)) as Error;
    expect(error.message).toMatch(/^tmpdisk: the command failed: it ended with exit code 3\n….*2000\nthe last word$/s);
    expect(error.message.length).toBeLessThan(4500);
    expect(DiskError.is(error)).toBe(false);
    await using server = await serve(plugin);
    const told = (await connect(server.uri as string).catch((refused: unknown) => refused)) as Error;
    expect(told.message).not.toContain("the last word");
  });

  test.each([
    ["makes nothing", "true", /there is nothing/],
    ["makes a folder", 'mkdir "$disk"', /there is neither a file nor a block device/],
    ["makes a pipe", 'mkfifo "$disk"', /there is neither a file nor a block device/],
    ["is killed", "kill -9 $$", /it was ended by SIGKILL/],
    ["is not there", "exec /no/such/program", /exit code 127: there may be no such program/],
  ])("that %s is an error, and nothing is left", async (_, command, text) => {
    const options = within({ command });
    await expect(open(0, options)).rejects.toThrow(text);
    expect(filesIn(options.directory)).toEqual([]);
  });

  test("leaves nothing beside the disk either", async () => {
    const options = within({ command: 'mkdir -p "$disk.more/deep"; touch "$disk.more/deep/file"; truncate -s 1M "$disk"' });
    expect((await open(0, options)).size).toBe(2n ** 20n);
    expect(filesIn(options.directory)).toEqual([]);
  });

  test("may hand over a copy: cp, and a link to a file", async () => {
    const folder = tree({ base: "the base" });
    const base = join(folder, "base");
    const disk = await open(0, { command: 'cp "$base" "$disk"', parameters: { base } });
    await disk.write(Buffer.from("my"), 0n);
    expect(await textAt(disk, 8)).toBe("mye base");
    expect(readFileSync(base, "utf8")).toBe("the base");
  });

  test("is ended with what it has started when the client leaves, and leaves nothing", async () => {
    const sign = gate();
    const options = within({ command: `${sign.knock}; sleep 1000 & trap 'exit 1' TERM; wait` });
    const plugin = tmpdisk(0, options);
    const controller = new AbortController();
    const opening = openDisk(plugin, { signal: controller.signal });
    opening.catch(() => undefined);
    await sign.knocked;
    expect(filesIn(options.directory)).not.toEqual([]);
    controller.abort(new Error("gone"));
    await expect(opening).rejects.toThrow("gone");
    expect(filesIn(options.directory)).toEqual([]);
    // Its socket closes when the last process that has it is gone.
    await sign.gone;
  });

  test("is ended when the plugin closes", async () => {
    const sign = gate();
    const options = within({ command: `${sign.knock}; sleep 1000` });
    const server = await serve(tmpdisk(0, options));
    const client = connect(server.uri as string);
    client.catch(() => undefined);
    await sign.knocked;
    await server.close({ deadline: 0 });
    await expect(client).rejects.toThrow();
    await sign.gone;
    expect(filesIn(options.directory)).toEqual([]);
  });

  test("is ended when its time is up, and the client is told", async () => {
    const options = within({ command: "sleep 1000", timeout: "50ms" });
    const error = await open(0, options).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: "ETIMEDOUT", message: "the disk was not ready after 0.05 seconds (timeout)" });
    expect(DiskError.is(error)).toBe(true);
    expect(filesIn(options.directory)).toEqual([]);
  });

  test("that leaves something running is not waited for", async () => {
    const disk = await open(0, { command: 'sleep 1000 & truncate -s 1M "$disk"' });
    expect(disk.size).toBe(2n ** 20n);
  });
});

describe("a function", () => {
  test("finds a sparse file, and may do with it as it likes", async () => {
    const sizes: bigint[] = [];
    const options = within({
      format(path, { size, signal }) {
        expect([readFileSync(path).length, signal.aborted]).toEqual([4096, false]);
        sizes.push(size);
        writeFileSync(path, "made in JavaScript");
      },
    });
    const disk = await open(4096, options);
    expect([sizes, disk.size, await textAt(disk, 4)]).toEqual([[4096n], 18n, "made"]);
    expect(filesIn(options.directory)).toEqual([]);
  });

  test("that does nothing makes blank disks", async () => {
    const disk = await open("1M", { format: () => undefined });
    expect([...(await disk.extents(0n, disk.size))]).toEqual([expect.objectContaining({ offset: 0n, length: 2n ** 20n, hole: true })]);
  });

  test("that fails is shown with its text, and a DiskError as it is", async () => {
    const fails = async (error: unknown): Promise<unknown> =>
      open(0, { format: () => Promise.reject(error) }).catch((refused: unknown) => refused);
    expect(await fails(new Error("no luck"))).toMatchObject({ code: "EIO", message: "tmpdisk: format failed: no luck" });
    const mine = new DiskError("EPERM", "not today");
    expect(await fails(mine)).toBe(mine);
  });

  test("that does not heed its signal is not waited for", async () => {
    const options = within({ format: () => new Promise<void>(() => undefined), timeout: "20ms" });
    await expect(open(0, options)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(filesIn(options.directory)).toEqual([]);
  });
});

describe("options", () => {
  test.each([
    ["-1", {}, "size"],
    [0, {}, "size 0: a file system takes some room"],
    ["8E", {}, "size"],
    ["1M", { type: "../x" }, 'type "../x": expected the name of a file system'],
    ["1M", { type: "" }, 'type "": expected'],
    ["1M", { label: "a\0b" }, "label"],
    ["1M", { label: "seventeen bytes !" }, "ext4 has labels of at most 16 bytes"],
    ["1M", { type: "minix", label: "x" }, "minix has no labels"],
    ["1M", { command: "" }, "command"],
    ["1M", { command: "true", format: () => undefined }, "either command or format"],
    ["1M", { format: "mkfs" as never }, "format"],
    ["1M", { format: () => undefined, label: "x" }, "not for format"],
    ["1M", { parameters: { lable: "x" } }, "lable is no option of tmpdisk, and there is no command for which it could be a variable"],
    ["1M", { command: "true", parameters: { disk: "/dev/sda" } }, "the variable disk is not to be set"],
    ["1M", { command: "true", parameters: { "a-b": "" } }, '"a-b" cannot be a variable'],
    ["1M", { command: "true", parameters: { a: 1 as never } }, "a 1: expected a text"],
    ["1M", { command: "true", params: ["-N"] }, "params"],
    ["1M", { params: "-N" as never }, "expected a list"],
    ["1M", { ready: -1 }, "ready -1: expected a number of disks, 0 to 1000"],
    ["1M", { ready: 1.5 }, "ready 1.5"],
    ["1M", { maxTotal: "512k" }, "maxTotal 524288: that is less than one disk takes (1048576 bytes)"],
    ["1M", { timeout: "soon" }, 'timeout "soon": expected seconds'],
    ["1M", { timeout: -1 }, "timeout -1"],
    ["1M", { inlineWrites: "yes" as never }, 'inlineWrites "yes": expected true or false'],
  ] as [string | number, TmpdiskOptions, string][])("%j %o is refused", (size, options, text) => {
    expect(() => tmpdisk(size, options)).toThrow(text);
  });

  test("a folder that is not there is named", async () => {
    await expect(open("1M", { directory: "/no/such/folder" })).rejects.toThrow(
      /cannot make a temporary file in \/no\/such\/folder \(TMPDIR/,
    );
  });

  test("TMPDIR says where the files are", async () => {
    const folder = tree();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const disk = await openDisk(tmpdisk(0, { command: 'printf %s "$disk" > "$disk"' }));
    expect(await textAt(disk, folder.length)).toBe(folder);
    await disk.close();
  });

  test("a plugin that has not been started says so", async () => {
    const plugin = tmpdisk("1M", { command: BLANK });
    await expect(async () => plugin.open({} as never)).rejects.toThrow("has not been started");
  });
});

/** Descriptors of this process that lead into a folder. */
function openFiles(folder: string): number {
  return filesIn("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

/** A sign that a command has begun, and later that all of its processes are gone: the other end of a pipe that they keep open. */
function gate(): { readonly knock: string; readonly knocked: Promise<void>; readonly gone: Promise<void> } {
  const path = join(tree(), "pipe");
  execFileSync("mkfifo", [path]);
  const knocked = deferred<void>();
  const gone = deferred<void>();
  createReadStream(path)
    .once("data", () => knocked.resolve())
    .once("end", () => gone.resolve());
  return { knock: `exec 7>${path}; echo >&7`, knocked: knocked.promise, gone: gone.promise };
}
