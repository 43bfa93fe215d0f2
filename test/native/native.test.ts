// The system calls through koffi, on real files and sockets.

import { once } from "node:events";
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Native, native } from "../../src/native/index.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 2 ** 20;

describe.skipIf(process.platform !== "linux")("native", () => {
  const calls = native() as Native;

  test("is there where koffi is installed, and the same one each time", () => {
    expect(calls).toBeDefined();
    expect(native()).toBe(calls);
  });

  test("punchHole makes a range read as zeroes and gives its space back", async () => {
    const { fd, path } = file(4);
    const before = fstatSync(fd).blocks;
    await calls.punchHole(fd, BigInt(MiB), BigInt(2 * MiB));
    expect(fstatSync(fd).blocks).toBeLessThanOrEqual(before - (2 * MiB) / 512);
    expect(fstatSync(fd).size).toBe(4 * MiB);
    const bytes = readFileSync(path);
    expect(bytes.subarray(MiB, 3 * MiB).every((byte) => byte === 0)).toBe(true);
    expect(bytes[MiB - 1]).toBe(0xaa);
    expect(bytes[3 * MiB]).toBe(0xaa);
  });

  test("zeroRange and allocate keep the file's size; a range that is no hole takes space", async () => {
    const { fd } = file(1);
    const code = await calls.zeroRange(fd, 0n, 65536n).then(
      () => "done",
      (error: NodeJS.ErrnoException) => error.code,
    );
    // Not every file system can: tmpfs says so.
    expect(["done", "ENOTSUP"]).toContain(code);
    if (code === "done") expect(byteAt(fd, 65535)).toBe(0);
    expect(byteAt(fd, 65536)).toBe(0xaa);
    ftruncateSync(fd, 0);
    ftruncateSync(fd, MiB);
    await calls.allocate(fd, 0n, BigInt(MiB));
    expect(fstatSync(fd).blocks).toBeGreaterThanOrEqual(MiB / 512);
  });

  test("seekData and seekHole find the parts of a sparse file, on this thread and on another", async () => {
    const { fd } = file(0);
    writeSync(fd, Buffer.alloc(65536, 1), 0, 65536, MiB);
    ftruncateSync(fd, 4 * MiB);
    expect(calls.seekData(fd, 0n)).toBe(BigInt(MiB));
    expect(calls.seekHole(fd, BigInt(MiB))).toBe(BigInt(MiB + 65536));
    expect(calls.seekData(fd, BigInt(2 * MiB))).toBeUndefined();
    expect(calls.seekHole(fd, BigInt(4 * MiB))).toBeUndefined();
    expect(await calls.seekDataLater(fd, 0n)).toBe(BigInt(MiB));
    expect(await calls.seekHoleLater(fd, BigInt(MiB))).toBe(BigInt(MiB + 65536));
    expect(await calls.seekDataLater(fd, BigInt(2 * MiB))).toBeUndefined();
  });

  test.skipIf(!existsSync("/dev/shm"))("offsets beyond 2^53 are exact", async () => {
    const fd = openSync(join(tree({}, "/dev/shm"), "file"), "w+");
    onTestFinished(() => closeSync(fd));
    expect(await calls.pwrite(fd, Buffer.from("x"), 2n ** 60n + 1n)).toBe(1);
    expect(calls.seekData(fd, 2n ** 54n + 1n)).toBe(2n ** 60n);
    expect(calls.seekData(fd, 2n ** 60n + 1n)).toBe(2n ** 60n + 1n);
    expect(calls.seekHole(fd, 2n ** 60n + 1n)).toBe(2n ** 60n + 2n);
  });

  test("preadNowait reads what is cached, into the very place", () => {
    const { fd } = file(1);
    const target = Buffer.alloc(8192);
    const count = nowait(() => calls.preadNowait(fd, target.subarray(100, 4196), 4096));
    if (count === "ENOTSUP") return;
    expect(count).toBe(4096);
    expect(target.subarray(100, 4196).every((byte) => byte === 0xaa)).toBe(true);
    expect([target[99], target[4196]]).toEqual([0, 0]);
    expect(calls.preadNowait(fd, target, BigInt(MiB - 10))).toBe(10);
    expect(calls.preadNowait(fd, target, MiB)).toBe(0);
  });

  test("pwriteNowait writes or says that it cannot", () => {
    const { fd } = file(1);
    const count = nowait(() => calls.pwriteNowait(fd, Buffer.from("here"), 4096));
    if (count === "ENOTSUP" || count === undefined) return;
    expect(count).toBe(4);
    expect(byteAt(fd, 4096)).toBe("h".charCodeAt(0));
  });

  test("advise takes every advice", async () => {
    const { fd } = file(1);
    for (const advice of ["normal", "random", "sequential", "willneed", "dontneed", "noreuse"] as const)
      await calls.advise(fd, 0n, 0n, advice);
  });

  test("errors are as Node's own", async () => {
    const { fd } = file(1);
    closeSync(fd);
    const bad = { code: "EBADF", message: expect.stringMatching(/bad file descriptor/) };
    await expect(calls.punchHole(fd, 0n, 1n)).rejects.toMatchObject({ ...bad, syscall: "fallocate" });
    await expect(calls.advise(fd, 0n, 1n, "random")).rejects.toMatchObject(bad);
    await expect(calls.seekHoleLater(fd, 0n)).rejects.toMatchObject({ ...bad, syscall: "lseek" });
    expect(() => calls.seekData(fd, 0n)).toThrow(expect.objectContaining(bad));
    expect(() => calls.preadNowait(fd, Buffer.alloc(1), 0)).toThrow(expect.objectContaining(bad));
    expect(() => calls.peerCredentials(fd)).toThrow(expect.objectContaining(bad));
  });

  test("what is no block device says so", async () => {
    const { fd } = file(1);
    expect(() => calls.blockDevice(fd)).toThrow(expect.objectContaining({ code: "ENOTTY" }));
    await expect(calls.discard(fd, 0n, 4096n)).rejects.toMatchObject({ code: "ENOTSUP" });
    await expect(calls.zeroOut(fd, 0n, 4096n)).rejects.toMatchObject({ code: "ENOTSUP" });
  });

  test("hundreds of calls at once each get their own answer", async () => {
    const { fd } = file(1);
    const closed = file(0).fd;
    closeSync(closed);
    const answers = await Promise.allSettled(
      Array.from({ length: 600 }, (_, i) =>
        i % 2 === 0 ? calls.punchHole(fd, 0n, 4096n) : i % 3 === 0 ? calls.punchHole(fd, -1n, 1n) : calls.punchHole(closed, 0n, 1n),
      ),
    );
    for (const [i, answer] of answers.entries()) {
      const code = answer.status === "fulfilled" ? "done" : (answer.reason as NodeJS.ErrnoException).code;
      expect(code).toBe(i % 2 === 0 ? "done" : i % 3 === 0 ? "EINVAL" : "EBADF");
    }
  });

  test("peerCredentials tells who connected to a unix socket", async () => {
    const server = createServer();
    const path = join(tree(), "socket");
    server.listen(path);
    await once(server, "listening");
    const client = createConnection(path);
    onTestFinished(() => {
      client.destroy();
      server.close();
    });
    const [socket] = (await once(server, "connection")) as [Socket];
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    expect(calls.peerCredentials(fd)).toEqual({ pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
    socket.destroy();
  });
});

/** A file of so many MiB, full of 0xaa. */
function file(mebibytes: number): { readonly fd: number; readonly path: string } {
  const path = join(tree(), "file");
  const fd = openSync(path, "w+");
  onTestFinished(() => {
    try {
      closeSync(fd);
    } catch {
      // The test did.
    }
  });
  for (let i = 0; i < mebibytes; i += 1) writeSync(fd, Buffer.alloc(MiB, 0xaa));
  return { fd, path };
}

function byteAt(fd: number, position: number): number | undefined {
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  return byte[0];
}

function nowait(call: () => number | undefined): number | undefined | "ENOTSUP" {
  try {
    return call();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTSUP") return "ENOTSUP";
    throw error;
  }
}
