// The suite for plugins, run on disks that keep the contract, each in its own way.

import { randomFillSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Connection, DiskError, type Plugin } from "../../src/contract/index.ts";
import { classRam, ram, testPlugin } from "../../src/testing/index.ts";
import { outcomeOf } from "./collect.ts";
import { bytes, over, plugin } from "./disks.ts";

const directly = ["directly"] as const;
const later = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("a disk that can do everything", () => {
  const content = bytes(900_000);
  testPlugin({
    test,
    factory: () => ram(content),
    content,
    crash: (disk) => (disk as ReturnType<typeof ram>).afterPowerCut(),
    persistent: true,
    expect: { write: true, flush: true, trim: true, zero: true, extents: true, fua: "native", multiConn: true, cache: "native" },
  });
});

describe("a disk of a class that reads, writes and flushes, later", () => {
  testPlugin({ test, factory: () => classRam(bytes(50_000)), expect: { write: true, flush: true, fua: "emulate" }, routes: directly });
});

describe("a disk that can only be read", () => {
  const content = bytes(10_000);
  const { write: _, ...readOnly } = over(content);
  testPlugin({ test, factory: () => plugin(readOnly), content, expect: { write: false } });
});

describe("a disk of no bytes", () => {
  testPlugin({ test, factory: () => ram(0), expect: { write: true } });
});

describe("a disk of one byte", () => {
  testPlugin({ test, factory: () => ram(1), expect: { write: true } });
});

describe("a disk of 8 EiB that holds what was written to it", () => {
  testPlugin({
    test,
    factory: () => {
      const written = new Map<bigint, number>();
      return plugin({
        size: 2n ** 63n - 1n,
        read(target, offset) {
          for (let i = 0; i < target.length; i += 1) target[i] = written.get(offset + BigInt(i)) ?? 0;
        },
        write(source, offset) {
          for (const [i, byte] of source.entries()) written.set(offset + BigInt(i), byte);
        },
        zero(offset, length) {
          if (length > 2n ** 30n) throw new DiskError("ENOTSUP", "too long for this test");
          for (let i = offset; i < offset + length; i += 1n) written.delete(i);
        },
      });
    },
    routes: directly,
    timeout: 20_000,
  });
});

describe("a disk that takes whole sectors only, 64 KiB at most", () => {
  const content = bytes(200 * 512);
  const whole = (offset: bigint, length: number | bigint): void => {
    if (offset % 512n !== 0n || BigInt(length) % 512n !== 0n)
      throw new DiskError("EINVAL", `${length} bytes at ${offset} are no whole sectors`);
    if (length > 65536) throw new DiskError("EINVAL", `${length} bytes are too many`);
  };
  testPlugin({
    test,
    factory: () => {
      const inner = over(content.slice());
      return plugin({
        ...inner,
        blockSize: { minimum: 512, preferred: 4096, maximum: 65536 },
        read(target, offset) {
          whole(offset, target.length);
          return inner.read(target, offset);
        },
        write(source, offset, flags) {
          whole(offset, source.length);
          return inner.write?.(source, offset, flags);
        },
      });
    },
  });
});

describe("a disk of random bytes", () => {
  const factory = () => plugin({ size: 100_000n, read: (target) => void randomFillSync(target) });
  testPlugin({ test, factory, random: true, routes: directly });
});

describe("a disk that throws away what is written", () => {
  testPlugin({
    test,
    factory: () => plugin({ size: 100_000n, read: (target) => void target.fill(0), write: () => undefined }),
    forgets: true,
  });
});

describe("a disk whose every client has one of its own", () => {
  testPlugin({ test, factory: () => ({ name: "own", open: () => over(bytes(20_000)) }), routes: directly });
});

describe("a disk that works on one request at a time", () => {
  const factory = (): Plugin => {
    const content = bytes(50_000);
    let busy = false;
    const alone = async (work: () => void): Promise<void> => {
      if (busy) throw new Error("two requests at once");
      busy = true;
      await later();
      work();
      busy = false;
    };
    const right = over(content);
    return plugin(
      {
        ...right,
        read: (target, offset) => alone(() => void right.read(target, offset)),
        write: (source, offset, flags) => alone(() => void right.write?.(source, offset, flags)),
        views: (offset, length) => {
          if (busy) throw new Error("views while a request is under way");
          return [content.subarray(Number(offset), Number(offset) + length)];
        },
      },
      { concurrency: "plugin" },
    );
  };
  testPlugin({ test, factory });
});

describe("a disk that heeds request.signal", () => {
  testPlugin({
    test,
    factory: () => ({
      name: "patient",
      open: ({ signal }): Connection => {
        const right = over(bytes(5000));
        const unless = async (): Promise<void> => {
          await later();
          signal.throwIfAborted();
        };
        return {
          ...right,
          read: async (target, offset) => {
            await unless();
            await right.read(target, offset);
          },
          write: async (source, offset, flags) => {
            await unless();
            await right.write?.(source, offset, flags);
          },
        };
      },
    }),
    routes: directly,
  });
});

describe("an export that is named", () => {
  testPlugin({
    test,
    exportName: "second",
    content: Buffer.from("second"),
    factory: () => ({ name: "exports", open: ({ exportName }) => over(Buffer.from(exportName)) }),
  });
});

test("rules that do not apply are skipped, with the reason", async () => {
  const { write: _, ...readOnly } = over(bytes(1000));
  const { skipped, passed, failed } = await outcomeOf((test) =>
    testPlugin({ test, factory: () => plugin(readOnly), routes: ["directly"] }),
  );
  expect([...failed]).toEqual([]);
  const reason = (rule: string) => [...skipped].find(([name]) => name.includes(rule))?.[1];
  expect(reason("zero makes the range read as zeroes")).toBe("it cannot be written");
  expect(reason("views lends the bytes that read gives")).toBe("it lends nothing");
  expect(reason("what was written before a flush")).toBe("it cannot be written");
  expect(passed.some((name) => name.includes("refuses writing, trimming and zeroing with EPERM"))).toBe(true);
});

test("what the factory made is put away after each test, also after one that failed", async () => {
  const made: Plugin[] = [];
  const cleaned: Plugin[] = [];
  const { failed } = await outcomeOf((test) =>
    testPlugin({
      test,
      routes: ["directly"],
      factory: () => {
        const disk = plugin({ size: 512n, read: () => Promise.reject(new Error("no medium")) });
        made.push(disk);
        return disk;
      },
      cleanup: (disk) => void cleaned.push(disk),
    }),
  );
  expect(failed.size).toBeGreaterThan(5);
  expect(cleaned).toEqual(made);
});

describe("a disk for one client at a time", () => {
  testPlugin({
    test,
    exclusive: true,
    expect: { write: true },
    factory: () => {
      const content = bytes(5000);
      let taken = false;
      return {
        name: "exclusive",
        open() {
          if (taken) throw new Error("somebody else has it");
          taken = true;
          return {
            ...over(content),
            close: () => {
              taken = false;
            },
          };
        },
      };
    },
  });
});
