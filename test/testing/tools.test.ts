// What tests of disks are made with: recorders, faults, poisoned buffers, disks in memory.

import { describe, expect, test } from "vitest";
import { openDisk, pipe, writeFlags, zeroFlags } from "../../src/contract/index.ts";
import { type Call, classRam, fail, faulty, hold, poisoned, ram, recorded } from "../../src/testing/index.ts";
import { bytes, over, plugin } from "./disks.ts";

const error = async (call: () => unknown): Promise<unknown> => {
  try {
    await call();
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
};

describe("recorded()", () => {
  test("lists what reaches a layer, in order, and as text", async () => {
    const calls: Call[] = [];
    const disk = await openDisk(pipe(ram(8192), recorded("log", calls)), { exportName: "a" });
    await disk.read(new Uint8Array(512), 4096n);
    await disk.write(new Uint8Array(8), 1n, writeFlags(true));
    await disk.zero(0n, 100n, zeroFlags(false, true, true));
    await disk.trim(0n, 100n);
    await disk.extents(0n, 8192n, { reqOne: true });
    await disk.cache(0n, 1n);
    await disk.flush();
    await disk.close();
    expect(calls.map(String)).toEqual([
      "log: start",
      'log: open "a"',
      "log: read 512 at 4096",
      "log: write 8 at 1, fua",
      "log: zero 100 at 0, noHole, fastZero",
      "log: trim 100 at 0",
      "log: extents 8192 at 0, reqOne",
      "log: cache 1 at 0",
      "log: flush",
      "log: close",
      "log: close plugin",
    ]);
    expect(calls[3]).toMatchObject({ layer: "log", operation: "write", offset: 1n, length: 8n, flags: { fua: true } });
  });

  test("changes nothing, neither what the disk can do nor that it answers at once", async () => {
    const below = await openDisk(ram(512));
    const disk = await openDisk(pipe(ram(512), recorded("log", [])));
    expect(disk.capabilities).toEqual({ ...below.capabilities, views: false });
    expect(disk.read(new Uint8Array(1), 0n)).toBeUndefined();
    const little = await openDisk(pipe(classRam(new Uint8Array(512)), recorded("log", [])));
    expect(little.capabilities).toMatchObject({ write: true, trim: false, zero: false, extents: false, cache: "emulate" });
    for (const each of [below, disk, little]) await each.close();
  });

  test("has the hooks that the layer below has", async () => {
    const calls: Call[] = [];
    const client = { peer: { transport: "unix" }, readonly: false, tls: false, signal: new AbortController().signal } as const;
    const stack = pipe({ ...ram(512), exports: () => [{ name: "a" }], defaultExport: () => "a" }, recorded("log", calls));
    await stack.preconnect?.(client.peer);
    expect(await stack.exports?.(client)).toEqual([{ name: "a" }]);
    expect(await stack.defaultExport?.(client)).toBe("a");
    expect(calls.map(String)).toEqual(["log: preconnect", "log: exports", "log: defaultExport"]);
    const bare = pipe(ram(512), recorded("log", calls));
    expect(bare.exports).toBeUndefined();
    expect(bare.defaultExport).toBeUndefined();
  });
});

describe("faulty()", () => {
  test("fails every call of an operation, and no other", async () => {
    await using disk = await openDisk(pipe(ram(4096), faulty(fail("write", { code: "ENOSPC", message: "full" }))));
    for (let i = 0; i < 2; i += 1)
      expect(await error(() => disk.write(new Uint8Array(1), 0n))).toMatchObject({ code: "ENOSPC", message: "full" });
    await disk.read(new Uint8Array(1), 0n);
  });

  test("fails the nth call, or so many from there on", async () => {
    const outcomes = async (failure: Parameters<typeof fail>[1]): Promise<string> => {
      await using disk = await openDisk(pipe(ram(4096), faulty(fail("read", failure))));
      let list = "";
      for (let i = 0; i < 5; i += 1) {
        try {
          await disk.read(new Uint8Array(1), 0n);
          list += ".";
        } catch {
          list += "x";
        }
      }
      return list;
    };
    expect(await outcomes({ nth: 3 })).toBe("..x..");
    expect(await outcomes({ nth: 2, times: 2 })).toBe(".xx..");
    expect(await outcomes({ times: 2 })).toBe("xx...");
    expect(await outcomes({})).toBe("xxxxx");
  });

  test("fails where the disk is bad, and says where", async () => {
    await using disk = await openDisk(pipe(ram(4096), faulty(fail("read", { at: 1024n }))));
    await disk.read(new Uint8Array(1024), 0n);
    await disk.read(new Uint8Array(10), 1025n);
    expect(await error(() => disk.read(new Uint8Array(2), 1023n))).toMatchObject({ code: "EIO", offset: 1024n });
  });

  test("fails what comes before the requests: starting, opening; and what comes after: closing", async () => {
    await expect(openDisk(pipe(ram(512), faulty(fail("start"))))).rejects.toThrow("a fault of start");
    await expect(openDisk(pipe(ram(512), faulty(fail("open", { code: "EPERM" }))))).rejects.toMatchObject({ code: "EPERM" });
    for (const operation of ["close", "close plugin"] as const) {
      const disk = await openDisk(pipe(ram(512), faulty(fail(operation))));
      await expect(disk.close()).rejects.toThrow(`a fault of ${operation}`);
    }
  });

  test("holds calls until they are released", async () => {
    const held = hold("read");
    await using disk = await openDisk(pipe(ram(bytes(512)), faulty(held)));
    const target = new Uint8Array(4);
    let done = false;
    const reading = Promise.resolve(disk.read(target, 1n)).then(() => {
      done = true;
    });
    expect(String(await held.arrived)).toBe("faulty: read 4 at 1");
    await disk.write(new Uint8Array(1), 100n);
    expect(done).toBe(false);
    held.release();
    await reading;
    expect(target).toEqual(bytes(512).subarray(1, 5));
    expect(disk.read(target, 1n)).toBeUndefined();
  });

  test("asks its faults in turn: one that waits may be followed by one that fails", async () => {
    const held = hold("read", { nth: 2 });
    await using disk = await openDisk(pipe(ram(512), faulty(held, fail("read", { nth: 2 }))));
    await disk.read(new Uint8Array(1), 0n);
    const second = error(() => disk.read(new Uint8Array(1), 0n));
    await held.arrived;
    held.release();
    expect(await second).toMatchObject({ code: "EIO" });
    await disk.read(new Uint8Array(1), 0n);
  });
});

describe("poisoned()", () => {
  test("is not noticed by those who heed the contract", async () => {
    await using disk = await openDisk(pipe(ram(bytes(4096)), poisoned()));
    const target = new Uint8Array(100);
    expect(disk.read(target, 5n)).toBeUndefined();
    expect(target).toEqual(bytes(4096).subarray(5, 105));
    await disk.write(target, 1000n);
    await disk.read(target, 1000n);
    expect(target).toEqual(bytes(4096).subarray(5, 105));
    await using slow = await openDisk(pipe(classRam(bytes(4096)), poisoned()));
    await slow.read(target, 5n);
    expect(target).toEqual(bytes(4096).subarray(5, 105));
  });

  test("gives buffers full of garbage: what is not filled does not look empty", async () => {
    await using disk = await openDisk(pipe(plugin({ size: 512n, read: () => undefined }), poisoned()));
    const target = new Uint8Array(64);
    await disk.read(target, 0n);
    expect(target.every((byte) => byte !== 0)).toBe(true);
  });

  test("hands on what fails, at once or later", async () => {
    for (const later of [false, true]) {
      const fails = () => {
        if (later) return Promise.reject(new Error("no medium"));
        throw new Error("no medium");
      };
      await using disk = await openDisk(pipe(plugin({ size: 512n, read: fails, write: fails }), poisoned()));
      await expect(async () => disk.read(new Uint8Array(1), 0n)).rejects.toThrow("no medium");
      await expect(async () => disk.write(new Uint8Array(1), 0n)).rejects.toThrow("no medium");
    }
  });

  test("names who wrote to a buffer that was no longer its own, at the latest when it is closed", async () => {
    let kept: Uint8Array | undefined;
    const keeping = plugin(
      over(bytes(512), {
        read: (target) => {
          kept = target;
        },
      }),
    );
    const disk = await openDisk(pipe(keeping, poisoned()));
    await disk.read(new Uint8Array(4), 0n);
    kept?.fill(1);
    await expect(disk.close()).rejects.toThrow("disk-under-test wrote to a buffer after it had answered");
  });
});

describe("ram()", () => {
  test("tells what would be left after a power cut", async () => {
    for (const make of [ram, classRam]) {
      const disk = make(new Uint8Array(1024));
      const open = await openDisk(disk);
      await open.write(Uint8Array.of(1), 0n);
      expect([disk.bytes[0], disk.stable[0]]).toEqual([1, 0]);
      expect(disk.afterPowerCut().bytes[0]).toBe(0);
      await open.flush();
      expect(disk.stable[0]).toBe(1);
      await open.write(Uint8Array.of(2), 0n, writeFlags(true));
      expect(disk.afterPowerCut().bytes[0]).toBe(2);
      await open.close();
    }
  });

  test("copies what it is to hold", async () => {
    const content = bytes(512);
    for (const disk of [ram(content), classRam(content)]) {
      await using open = await openDisk(disk);
      await open.write(new Uint8Array(512).fill(9), 0n);
    }
    expect(content).toEqual(bytes(512));
  });

  test("may be read-only", async () => {
    await using disk = await openDisk(ram(512, { readonly: true }));
    expect(disk.capabilities).toMatchObject({ write: false, extents: true, flush: true });
  });

  test("knows its holes by blocks of 512 bytes", async () => {
    await using disk = await openDisk(ram(Uint8Array.from({ length: 1600 }, (_, i) => (i >= 512 && i < 600 ? 1 : 0))));
    expect(await disk.extents(10n, 1590n)).toEqual([
      { offset: 10n, length: 502n, hole: true, zero: true },
      { offset: 512n, length: 512n, hole: false, zero: false },
      { offset: 1024n, length: 576n, hole: true, zero: true },
    ]);
  });
});
