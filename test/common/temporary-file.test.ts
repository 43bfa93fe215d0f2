// Temporary files: private, nameless, sparse, quick where they can be, and clear when there is no room.

import { readdirSync, readlinkSync, statSync } from "node:fs";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openTemporaryFile, type TemporaryFile, type TemporaryFileOptions, temporaryFolder } from "../../src/common/temporary-file.ts";
import * as seam from "../../src/native/index.ts";
import { hasTool } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

let folder: string;

beforeEach(() => {
  folder = tree();
  vi.stubEnv("TMPDIR", folder);
  return () => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  };
});

function open(options: TemporaryFileOptions = {}): TemporaryFile {
  const file = openTemporaryFile("the test", options);
  onTestFinished(() => file.close().catch(() => undefined));
  return file;
}

/** A clock by which every call takes a second, so that nothing is done at once a second time. */
function slow(): { now(): number } {
  let now = 0;
  return {
    now() {
      now += 1000;
      return now / 10;
    },
  };
}

/** The open file without a name, as the kernel shows it. */
function descriptor(): string | undefined {
  return readdirSync("/proc/self/fd")
    .map((fd) => `/proc/self/fd/${fd}`)
    .find((path) => linkOf(path).startsWith(folder));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

async function readAll(file: TemporaryFile, offset: bigint | number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  await file.read(target, offset);
  return target;
}

test("it lies in TMPDIR, else in /var/tmp", () => {
  expect(temporaryFolder()).toBe(folder);
  vi.stubEnv("TMPDIR", "");
  if (process.platform === "linux") expect(temporaryFolder()).toBe("/var/tmp");
});

test("it has no name, and only this user may open it", () => {
  open();
  expect(readdirSync(folder)).toEqual([]);
  if (process.platform !== "linux") return;
  const path = descriptor();
  expect(path).toBeDefined();
  expect(statSync(path as string).mode & 0o777).toBe(0o600);
});

test("a folder that is not there is said, with the name of the setting", () => {
  vi.stubEnv("TMPDIR", `${folder}/missing`);
  expect(() => openTemporaryFile("the overlay")).toThrow(
    expect.objectContaining({ code: "ENOENT", message: expect.stringContaining("TMPDIR") }),
  );
});

const without = (options: TemporaryFileOptions = {}) => {
  vi.spyOn(seam, "native").mockReturnValue(undefined);
  return open(options);
};
const ways: Readonly<Record<string, () => TemporaryFile>> = {
  "with what the system offers": () => open(),
  "without src/native": () => without(),
  "by the thread pool": () => without({ clock: slow() }),
};
for (const [way, make] of Object.entries(ways)) {
  describe(way, () => {
    test("what is written is read, the rest is zeroes", async () => {
      const file = make();
      for (const [offset, length] of [
        [0n, 10],
        [4096n, 4096],
        [5000n, 3],
        [2n ** 20n + 1n, 3 * 2 ** 20],
      ] as const) {
        await file.write(Buffer.alloc(length, 7), offset);
        expect((await readAll(file, offset, length)).equals(Buffer.alloc(length, 7)), `${length} at ${offset}`).toBe(true);
      }
      expect(await readAll(file, 10n, 20)).toEqual(Buffer.alloc(20));
      expect(await readAll(file, 2 ** 20 + 3 * 2 ** 20, 4)).toEqual(Buffer.from([7, 0, 0, 0]));
      expect(await readAll(file, 2n ** 40n, 8)).toEqual(Buffer.alloc(8));
    });

    test("a range that was discarded can be written again", async () => {
      const file = make();
      await file.write(Buffer.alloc(65536, 1), 0n);
      await file.discard(0n, 65536n);
      await file.write(Buffer.from("again"), 0n);
      expect((await readAll(file, 0n, 5)).toString()).toBe("again");
    });

    test("after closing it refuses", async () => {
      const file = make();
      const writing = file.write(Buffer.alloc(2 ** 22, 1), 0n);
      await file.close();
      await writing;
      expect(() => file.read(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "ESHUTDOWN" }));
      expect(() => file.write(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "ESHUTDOWN" }));
      expect(() => file.discard(0n, 1n)).toThrow(expect.objectContaining({ code: "ESHUTDOWN" }));
    });
  });
}

test("what is in the page cache is there at once; what is long is not waited for", async () => {
  const file = open({ clock: { now: () => 0 } });
  expect(file.write(Buffer.alloc(4096, 1), 0n)).toBeUndefined();
  expect(file.read(new Uint8Array(4096), 0n)).toBeUndefined();
  const long = file.write(Buffer.alloc(2 ** 21, 1), 0n);
  expect(long).toBeInstanceOf(Promise);
  await long;
});

test("a call that stalls sends those after it to the thread pool, for a while", async () => {
  const times = [0, 1, 21, 30, 220];
  const file = without({ clock: { now: () => times.shift() ?? 1e6 } });
  const page = Buffer.alloc(4096, 1);
  // Asked at 0 whether it may; from 1 to 21 it stalled: not before 221 again.
  expect(file.write(page, 0n)).toBeUndefined();
  const later = file.read(page, 0n);
  expect(later).toBeInstanceOf(Promise);
  await later;
  const stillLater = file.write(page, 0n);
  expect(stillLater).toBeInstanceOf(Promise);
  await stillLater;
  times.length = 0;
  expect(file.read(page, 0n)).toBeUndefined();
});

test("a file system that cannot say what is cached is read all the same", async () => {
  const system = {
    preadNowait: () => {
      throw Object.assign(new Error("not here"), { code: "ENOTSUP" });
    },
    punchHole: () => Promise.reject(Object.assign(new Error("not here"), { code: "ENOTSUP" })),
  };
  vi.spyOn(seam, "native").mockReturnValue(system as unknown as seam.Native);
  const file = open();
  await file.write(Buffer.from("hello"), 3n);
  expect((await readAll(file, 3n, 5)).toString()).toBe("hello");
  await file.discard(0n, 8n);
  expect((await readAll(file, 3n, 5)).toString()).toBe("hello");
});

test("what the page cache has a part of is read to the end", async () => {
  const whole = Buffer.from("0123456789");
  const pieces = [3, undefined];
  const system = {
    preadNowait(_fd: number, target: Uint8Array, offset: number) {
      const count = pieces.shift();
      if (count !== undefined) target.set(whole.subarray(offset, offset + count));
      return count;
    },
  };
  const file = open();
  await file.write(whole, 0n);
  vi.spyOn(seam, "native").mockReturnValue(system as unknown as seam.Native);
  expect((await readAll(file, 0n, 10)).toString()).toBe("0123456789");
});

test("an offset that a file cannot have is no room, rather than somewhere else", () => {
  const file = open();
  expect(() => file.write(Buffer.from("x"), 2n ** 53n)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
});

test.skipIf(process.platform !== "linux" || !hasTool("/dev/full"))("a full disk is ENOSPC, and says whose", async () => {
  const { TemporaryFile } = await import("../../src/common/temporary-file.ts");
  const { openSync } = await import("node:fs");
  const now = new TemporaryFile(openSync("/dev/full", "r+"), "the overlay", { now: () => 0 }, undefined);
  const later = new TemporaryFile(openSync("/dev/full", "r+"), "the overlay", slow(), undefined);
  expect(() => now.write(Buffer.from("x"), 0n)).toThrow(/no room for the overlay: .*TMPDIR.* is full/);
  await expect((async () => later.write(Buffer.from("x"), 0n))()).rejects.toMatchObject({ code: "ENOSPC" });
  await expect((async () => later.write(Buffer.from("x"), 0n))()).rejects.toMatchObject({ code: "ENOSPC" });
  await now.close();
  await later.close();
});
