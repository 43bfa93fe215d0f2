// The file plugin as its users see it.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { zeroFlags } from "../../../src/contract/flags.ts";
import { type Disk, type FileSource, file, openDisk } from "../../../src/index.ts";
import { pattern, thrownBy } from "../../contract/fixtures.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { tree } from "../../fixtures/tree.ts";

const KiB = 1024;
const MiB = 2 ** 20;
const linux = process.platform === "linux";

describe("a file as a disk", () => {
  test("has the file's bytes, and writes change the file", async () => {
    const path = written(pattern(10_000));
    await using disk = await openDisk(file(path));
    expect(disk.size).toBe(10_000n);
    expect(await readAt(disk, 5000n, 100)).toEqual(Buffer.from(pattern(10_000).subarray(5000, 5100)));
    await disk.write(Buffer.from("here"), 5000n);
    expect(readFileSync(path).subarray(4999, 5005).toString("latin1")).toContain("here");
    expect(statSync(path).size).toBe(10_000);
  });

  test("is found by a file: URL", async () => {
    await using disk = await openDisk(file(pathToFileURL(written(pattern(512)))));
    expect(disk.size).toBe(512n);
  });

  test("a new client finds the size that the file has by then", async () => {
    const path = written(pattern(512));
    const plugin = file(path);
    await using first = await openDisk(plugin);
    truncateSync(path, 2048);
    await using second = await openDisk(plugin);
    expect([first.size, second.size]).toEqual([512n, 2048n]);
  });

  test("an empty file is an empty disk", async () => {
    await using disk = await openDisk(file(written(new Uint8Array(0))));
    expect(disk.size).toBe(0n);
    expect(await disk.extents(0n, 0n)).toEqual([]);
  });

  test("for a client that only reads it is opened for reading alone", async () => {
    await using disk = await openDisk(file(written(pattern(512))), { readonly: true });
    expect(disk.capabilities).toMatchObject({ write: false, trim: false, zero: false, flush: false });
  });

  test.skipIf(process.getuid?.() === 0)("what may not be written is a read-only disk", async () => {
    const path = written(pattern(512));
    chmodSync(path, 0o400);
    await using disk = await openDisk(file(path));
    expect(disk.capabilities.write).toBe(false);
  });

  test("a file that becomes shorter fails to be read, and says so", async () => {
    const path = written(pattern(MiB));
    await using disk = await openDisk(file(path));
    truncateSync(path, 10_000);
    expect(await thrownBy(() => readAt(disk, 8192n, 4096))).toMatchObject({
      code: "EIO",
      offset: 10_000n,
      message: "the file has become shorter: nothing is left to read at 10000 of what were 1048576 bytes",
    });
    if (linux) expect(await thrownBy(() => disk.extents(0n, disk.size))).toMatchObject({ code: "EIO" });
  });

  test.skipIf(!existsSync("/dev/full"))("a full file system is ENOSPC", async () => {
    const folder = tree();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return; // needs root
    }
    onTestFinished(() => void execFileSync("umount", [folder]));
    const path = join(folder, "disk");
    writeFileSync(path, "");
    truncateSync(path, 4 * MiB);
    await using disk = await openDisk(file(path));
    expect(await thrownBy(() => disk.write(new Uint8Array(2 * MiB).fill(1), 0n))).toMatchObject({ code: "ENOSPC" });
  });

  test("cache, fadvise and every other option keep the bytes", async () => {
    for (const options of [{ cache: "none" }, { fadvise: "sequential" }, { cache: "none", fadvise: "random" }] as const) {
      await using disk = await openDisk(file(written(pattern(200_000)), options));
      for (let i = 0; i < 20; i += 1) await disk.write(Buffer.from([i]), BigInt(i * 10_000));
      await disk.flush();
      expect([...(await readAt(disk, 190_000n, 1))]).toEqual([19]);
      await disk.cache(0n, disk.size);
    }
  });
});

describe.skipIf(!linux)("inlineWrites", () => {
  const local = [61267, 1481003842, 2435016766].includes(statfsSync("/var/tmp").type);

  test.skipIf(!local)("whole pages are written at once, others and long ones by threads", async () => {
    const path = join(tree(undefined, "/var/tmp"), "disk");
    writeFileSync(path, new Uint8Array(2 * MiB));
    await using disk = await openDisk(file(path, { inlineWrites: true }));
    const page = pattern(4096);
    expect(disk.write(page, 8192n)).toBeUndefined();
    expect(readFileSync(path).subarray(8192, 8192 + 4096)).toEqual(Buffer.from(page));
    for (const [source, offset] of [
      [page, 512n],
      [pattern(512), 4096n],
      [pattern(MiB), 0n],
    ] as const) {
      const written = disk.write(source, offset);
      expect(written).toBeInstanceOf(Promise);
      await written;
      expect(readFileSync(path).subarray(Number(offset), Number(offset) + source.length)).toEqual(Buffer.from(source));
    }
  });

  test("is off unless it is asked for", async () => {
    await using disk = await openDisk(file(written(pattern(8192))));
    const answer = disk.write(pattern(4096), 0n);
    // Files in memory, and XFS, are written at once in any case.
    if (local && statfsSync(tmpdir()).type === 61267) expect(answer).toBeInstanceOf(Promise);
    await answer;
  });

  test("is true or false", () => {
    expect(() => file("x", { inlineWrites: "yes" as never })).toThrow("file: inlineWrites");
  });
});

describe.skipIf(!linux)("holes", () => {
  test("are the file's, and trimming and zeroing make more of them", async () => {
    const path = written(pattern(MiB));
    await using disk = await openDisk(file(path));
    expect(await map(disk)).toEqual(["data 0+1024"]);
    const before = statSync(path).blocks;
    await disk.trim(BigInt(64 * KiB), BigInt(64 * KiB));
    await disk.zero(BigInt(256 * KiB), BigInt(512 * KiB));
    expect(statSync(path).blocks).toBeLessThan(before - (512 * KiB) / 512);
    expect(await map(disk)).toEqual(["data 0+64", "hole 64+64", "data 128+128", "hole 256+512", "data 768+256"]);
  });

  test("zeroes that must stay allocated are no holes", async () => {
    const path = written(pattern(MiB));
    await using disk = await openDisk(file(path));
    const before = statSync(path).blocks;
    await disk.zero(0n, BigInt(512 * KiB), zeroFlags(false, true, false));
    expect((await readAt(disk, 0n, 512 * KiB)).every((byte) => byte === 0)).toBe(true);
    expect(statSync(path).blocks).toBeGreaterThanOrEqual(before);
  });

  test("zeroing fast works, to the byte", async () => {
    await using disk = await openDisk(file(written(pattern(MiB))));
    await disk.zero(5n, 300_000n, zeroFlags(false, false, true));
    const bytes = await readAt(disk, 0n, MiB);
    const expected = Buffer.from(pattern(MiB)).fill(0, 5, 300_005);
    expect(Buffer.compare(bytes, expected)).toBe(0);
  });

  test("another client's trim is seen", async () => {
    const plugin = file(written(pattern(MiB)));
    await using one = await openDisk(plugin);
    await using other = await openDisk(plugin);
    await other.trim(0n, 65536n);
    expect(await map(one)).toEqual(["hole 0+64", "data 64+960"]);
  });

  test("of a file in thousands of pieces are listed a part at a time", async () => {
    const path = written(new Uint8Array(0));
    truncateSync(path, 4000 * 8192);
    await using disk = await openDisk(file(path));
    for (let i = 0n; i < 4000n; i += 1n) await disk.write(Buffer.from("x"), i * 8192n);
    const first = await disk.extents(0n, disk.size);
    expect(first.length).toBeLessThan(2000);
    const found = await map(disk);
    expect(found).toHaveLength(8000);
    expect(found.slice(0, 3)).toEqual(["data 0+4", "hole 4+4", "data 8+4"]);
    expect(await disk.extents(0n, disk.size, { reqOne: true })).toHaveLength(1);
  });
});

describe("a folder as exports", () => {
  test("lists files, and what links lead to files, by name", async () => {
    const folder = images();
    const list = await file({ dir: folder }).exports?.(client);
    expect(list).toEqual(["a.img", "b.img", "link"].map((name) => ({ name })));
  });

  test("each is opened by its name", async () => {
    const plugin = file({ dir: images() });
    await using disk = await openDisk(plugin, { exportName: "b.img" });
    expect((await readAt(disk, 0n, 1)).toString()).toBe("b");
    await using link = await openDisk(plugin, { exportName: "link" });
    expect((await readAt(link, 0n, 1)).toString()).toBe("o");
  });

  test.each(["", ".", "..", "../outside", "sub/inner", "/etc/passwd", "a.img\0", "nothing", "sub", "dangling", "loop", "x".repeat(5000)])(
    "refuses %j, without saying what is there",
    async (exportName) => {
      const error = (await thrownBy(() => openDisk(file({ dir: images() }), { exportName }))) as Error;
      expect(error).toMatchObject({ code: "ENOENT", name: "DiskError" });
      expect(error.message).toMatch(/there is no (disk named|default disk)/);
    },
  );

  test.skipIf(!linux)("refuses sockets and pipes, without waiting for them", async () => {
    const folder = images();
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const server = createServer().listen(join(folder, "socket"));
    onTestFinished(() => void server.close());
    for (const exportName of ["pipe", "socket"])
      expect(await thrownBy(() => openDisk(file({ dir: folder }), { exportName }))).toMatchObject({ code: "ENOENT" });
    expect(await file({ dir: folder }).exports?.(client)).toHaveLength(3);
  });

  test.skipIf(!linux)("may be given by its descriptor", async () => {
    const folder = images();
    const dirfd = openSync(folder, "r");
    onTestFinished(() => closeSync(dirfd));
    await using disk = await openDisk(file({ dirfd }), { exportName: "a.img" });
    expect((await readAt(disk, 0n, 1)).toString()).toBe("a");
  });

  test("a folder that is not there is refused at the start", async () => {
    const path = join(tree(), "nowhere");
    await expect(openDisk(file({ dir: path }), { exportName: "x" })).rejects.toMatchObject({ code: "ENOENT" });
    await expect(openDisk(file({ dir: written(pattern(1)) }), { exportName: "x" })).rejects.toThrow(/is no folder/);
  });
});

describe("a file descriptor as a disk", () => {
  test("is left open, and several clients share it", async () => {
    const fd = openSync(written(pattern(4096)), "r+");
    onTestFinished(() => closeSync(fd));
    const plugin = file({ fd });
    {
      await using one = await openDisk(plugin);
      await using other = await openDisk(plugin);
      await one.write(Buffer.from("x"), 0n);
      expect((await readAt(other, 0n, 1)).toString()).toBe("x");
    }
    await using again = await openDisk(plugin);
    expect((await readAt(again, 0n, 1)).toString()).toBe("x");
  });

  test("open for reading alone is a read-only disk", async () => {
    const fd = openSync(written(pattern(4096)), "r");
    onTestFinished(() => closeSync(fd));
    await using disk = await openDisk(file({ fd }));
    expect(disk.capabilities.write).toBe(false);
    expect(await readAt(disk, 0n, 16)).toEqual(Buffer.from(pattern(16)));
  });

  test("that is not open is refused", async () => {
    await expect(openDisk(file({ fd: 1_000_000 }))).rejects.toMatchObject({ code: "EBADF" });
  });
});

describe("what is no disk is refused in words", () => {
  test("at the start", async () => {
    await expect(openDisk(file(tree()))).rejects.toThrow(
      /is a folder \(dir= serves each of its files\): expected a regular file or a block device/,
    );
    await expect(openDisk(file(join(tree(), "none")))).rejects.toMatchObject({ code: "ENOENT" });
    if (linux) await expect(openDisk(file("/dev/null"))).rejects.toThrow(/is a character device/);
  });

  test.each([
    [undefined, /expected a path, .* not undefined/],
    ["", /"" is no path/],
    ["a\0b", /is no path/],
    [7, /expected a path, .* not number 7/],
    [{}, /expected a path, \{ dir \}, \{ dirfd \} or \{ fd \}/],
    [{ fd: -1 }, /fd -1: expected the number of an open file descriptor/],
    [{ fd: "3" }, /fd 3/],
    [{ dirfd: 1.5 }, /dirfd 1.5/],
    [{ dir: "" }, /"" is no path/],
    [{ fd: 3, dir: "/" }, /expected a path, .* not several of them/],
  ])("when made of %j", (source, message) => {
    expect(() => file(source as FileSource)).toThrow(message);
  });

  test("options too", () => {
    expect(() => file("x", { cache: "all" as "none" })).toThrow('file: cache "all": expected default, none');
    expect(() => file("x", { fadvise: "often" as "normal" })).toThrow('file: fadvise "often": expected normal, random, sequential');
  });
});

describeWith(["losetup", "/dev/loop-control"], "a block device as a disk", () => {
  test("is read and written, trimmed and zeroed", async () => {
    const path = written(pattern(4 * MiB));
    const device = loop(path);
    await using disk = await openDisk(file(device));
    expect(disk.size).toBe(BigInt(4 * MiB));
    expect(Buffer.compare(await readAt(disk, 0n, MiB), Buffer.from(pattern(4 * MiB)).subarray(0, MiB))).toBe(0);
    await disk.write(Buffer.from("odd"), 1_000_001n);
    await disk.zero(BigInt(MiB + 1), BigInt(MiB));
    await disk.trim(BigInt(2 * MiB), BigInt(MiB + 5));
    await disk.flush();
    const bytes = readFileSync(path);
    expect(bytes.subarray(1_000_001, 1_000_004).toString()).toBe("odd");
    expect(bytes.subarray(MiB + 1, 2 * MiB + 1).every((byte) => byte === 0)).toBe(true);
    expect(bytes[MiB]).toBe(pattern(MiB + 1)[MiB]);
    expect(Buffer.compare(bytes.subarray(3 * MiB), pattern(4 * MiB).subarray(3 * MiB))).toBe(0);
    expect(await disk.extents(0n, disk.size)).toHaveLength(1);
  });
});

const client = { peer: { transport: "process" }, readonly: false, tls: false, signal: new AbortController().signal } as const;

function written(content: Uint8Array): string {
  const path = join(tree(), "disk");
  writeFileSync(path, content);
  return path;
}

/** A folder with all kinds of things in it. */
function images(): string {
  const root = tree({ outside: "o", "images/b.img": "b", "images/a.img": "a", "images/sub/inner": "i" });
  const folder = join(root, "images");
  symlinkSync(join(root, "outside"), join(folder, "link"));
  symlinkSync("nothing", join(folder, "dangling"));
  symlinkSync("loop", join(folder, "loop"));
  symlinkSync("sub", join(folder, "link-to-folder"));
  mkdirSync(join(folder, "empty"));
  return folder;
}

function loop(path: string): string {
  const device = execFileSync("losetup", ["--find", "--show", path], { encoding: "utf8" }).trim();
  onTestFinished(() => void execFileSync("losetup", ["--detach", device]));
  return device;
}

async function readAt(disk: Disk, offset: bigint, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  await disk.read(target, offset);
  return target;
}

/** The whole map in KiB, asked for as often as it takes; neighbours of a kind as one. */
async function map(disk: Disk): Promise<string[]> {
  const found: { kind: string; offset: bigint; length: bigint }[] = [];
  for (let at = 0n; at < disk.size; ) {
    for (const { offset, length, hole, zero } of await disk.extents(at, disk.size - at)) {
      const kind = hole ? "hole" : zero ? "zero" : "data";
      const last = found.at(-1);
      if (last?.kind === kind) last.length += length;
      else found.push({ kind, offset, length });
      at = offset + length;
    }
  }
  return found.map(({ kind, offset, length }) => `${kind} ${offset / 1024n}+${length / 1024n}`);
}
