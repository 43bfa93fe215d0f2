import { describe, expect, test, vi } from "vitest";
import { type Connection, complete, isDisk, writeFlags } from "../../src/contract/index.ts";
import { Queue } from "../../src/contract/queue.ts";
import { deferred } from "../fixtures/deferred.ts";
import { over, pattern, thrownBy, turn } from "./fixtures.ts";

const fua = writeFlags(true);
const noFlags = writeFlags(false);

describe("reading and writing", () => {
  test("go to the connection as they are, and stay synchronous where it does", () => {
    const bytes = pattern(4096);
    const disk = complete(over(bytes));
    const target = new Uint8Array(10);
    expect(disk.read(target, 100n)).toBeUndefined();
    expect(target).toEqual(bytes.subarray(100, 110));
    expect(disk.write(Uint8Array.of(1, 2, 3), 7n)).toBeUndefined();
    expect(bytes.subarray(7, 10)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("pass on the very buffers and flags, and keep the connection's this", () => {
    class Spy implements Connection {
      readonly size = 4096n;
      readonly #calls: unknown[][] = [];
      read(...call: unknown[]): void {
        this.#calls.push(call);
      }
      write(...call: unknown[]): void {
        this.#calls.push(call);
      }
      flush(): void {}
      get calls(): unknown[][] {
        return this.#calls;
      }
    }
    const spy = new Spy();
    const disk = complete(spy);
    const buffer = new Uint8Array(512);
    disk.read(buffer, 0n);
    disk.write(buffer, 512n);
    expect(spy.calls[0]?.[0]).toBe(buffer);
    expect(spy.calls[1]?.[0]).toBe(buffer);
    expect(spy.calls[1]?.[2]).toBe(noFlags);
  });

  test("of nothing succeed without reaching the connection", () => {
    const connection = over(new Uint8Array(512), { flush: vi.fn(), trim: vi.fn(), zero: vi.fn(), cache: vi.fn(), extents: vi.fn() });
    const disk = complete({ ...connection, read: vi.fn(), write: vi.fn() });
    expect(disk.read(new Uint8Array(), 512n)).toBeUndefined();
    expect(disk.write(new Uint8Array(), 512n, fua)).toBeUndefined();
    expect(disk.trim(512n, 0n, fua)).toBeUndefined();
    expect(disk.zero(512n, 0n)).toBeUndefined();
    expect(disk.cache(512n, 0n)).toBeUndefined();
    expect(disk.extents(512n, 0n)).toEqual([]);
    for (const key of ["flush", "trim", "zero", "cache", "extents"] as const) expect(connection[key]).not.toHaveBeenCalled();
  });

  test("past the end are refused: ENOSPC for what writes, EINVAL for the rest, and the connection hears nothing", async () => {
    const never = () => expect.unreachable();
    const disk = complete({ size: 100n, read: never, write: never, trim: never, zero: never, extents: never, cache: never, views: never });
    const buffer = new Uint8Array(11);
    const refusals: [() => unknown, string][] = [
      [() => disk.read(buffer, 90n), "EINVAL"],
      [() => disk.write(buffer, 90n), "ENOSPC"],
      [() => disk.trim(90n, 11n), "EINVAL"],
      [() => disk.zero(90n, 11n), "ENOSPC"],
      [() => disk.extents(90n, 11n), "EINVAL"],
      [() => disk.cache(90n, 11n), "EINVAL"],
      [() => disk.views?.(90n, 11), "EINVAL"],
      [() => disk.read(new Uint8Array(), 101n), "EINVAL"],
    ];
    for (const [call, code] of refusals) expect(await thrownBy(call)).toMatchObject({ name: "DiskError", code });
  });

  test("what the connection throws, at once or later, comes out as it is", async () => {
    const error = new Error("scratched");
    const throwing = complete(
      over(new Uint8Array(512), {
        read: () => {
          throw error;
        },
      }),
    );
    const rejecting = complete(over(new Uint8Array(512), { read: () => Promise.reject(error) }));
    expect(await thrownBy(() => throwing.read(new Uint8Array(1), 0n))).toBe(error);
    expect(await thrownBy(() => rejecting.read(new Uint8Array(1), 0n))).toBe(error);
  });

  test("what the author gives beside is not taken for an answer", async () => {
    const disk = complete(over(new Uint8Array(512), { read: (() => 512) as never }));
    await disk.read(new Uint8Array(1), 0n);
  });
});

describe("a disk that cannot be written", () => {
  test("refuses to be written with EPERM, also with FUA", async () => {
    const disk = complete({ size: 512n, read: () => undefined, trim: () => undefined, zero: () => undefined, flush: () => undefined });
    for (const flags of [noFlags, fua]) {
      expect(await thrownBy(() => disk.write(new Uint8Array(1), 0n, flags))).toMatchObject({ code: "EPERM" });
      expect(await thrownBy(() => disk.trim(0n, 1n, flags))).toMatchObject({ code: "EPERM" });
      expect(await thrownBy(() => disk.zero(0n, 1n, { ...flags, noHole: false, fastZero: true }))).toMatchObject({ code: "EPERM" });
    }
    await disk.flush();
  });
});

describe("FUA", () => {
  /** A disk that notes what reaches its connection. */
  function noted(traits: Connection["traits"], later: boolean) {
    const calls: string[] = [];
    const note = (name: string, flags?: { fua: boolean }): Promise<void> | undefined => {
      calls.push(`${name}${flags?.fua ? " fua" : ""}`);
      return later ? Promise.resolve() : undefined;
    };
    const disk = complete({
      size: 4096n,
      ...(traits && { traits }),
      read: () => undefined,
      write: (_source, _offset, flags) => note("write", flags),
      trim: (_offset, _length, flags) => note("trim", flags),
      zero: (_offset, _length, flags) => note("zero", flags),
      flush: () => note("flush"),
    });
    const all = async (): Promise<void> => {
      await disk.write(new Uint8Array(1), 0n, fua);
      await disk.trim(0n, 1n, fua);
      await disk.zero(0n, 1n, { fua: true, noHole: false, fastZero: false });
    };
    return { disk, calls, all };
  }

  test.each([false, true])("is a flush afterwards where the connection does not heed it (answering later: %s)", async (later) => {
    const { calls, all } = noted(undefined, later);
    await all();
    expect(calls).toEqual(["write", "flush", "trim", "flush", "zero", "flush"]);
  });

  test.each([false, true])("is passed on where it does (answering later: %s)", async (later) => {
    const { calls, all } = noted({ fua: "native" }, later);
    await all();
    expect(calls).toEqual(["write fua", "trim fua", "zero fua"]);
  });

  test("is refused with EINVAL where the disk has none", async () => {
    const { disk, calls } = noted({ fua: "none" }, false);
    expect(await thrownBy(() => disk.write(new Uint8Array(1), 0n, fua))).toMatchObject({ code: "EINVAL" });
    expect(await thrownBy(() => disk.trim(0n, 1n, fua))).toMatchObject({ code: "EINVAL" });
    expect(await thrownBy(() => disk.zero(0n, 1n, { fua: true, noHole: false, fastZero: false }))).toMatchObject({ code: "EINVAL" });
    expect(calls).toEqual([]);
  });

  test("stays synchronous with a connection that does", () => {
    expect(noted(undefined, false).disk.write(new Uint8Array(1), 0n, fua)).toBeUndefined();
  });

  test("does not flush what failed", async () => {
    const flush = vi.fn();
    const disk = complete(over(new Uint8Array(512), { write: () => Promise.reject(new Error("full")), flush }));
    await expect(disk.write(new Uint8Array(1), 0n, fua)).rejects.toThrow("full");
    expect(flush).not.toHaveBeenCalled();
  });

  test("fails when the flush does", async () => {
    const disk = complete(over(new Uint8Array(512), { flush: () => Promise.reject(new Error("cable pulled")) }));
    await expect(disk.write(new Uint8Array(1), 0n, fua)).rejects.toThrow("cable pulled");
  });
});

describe("flush, trim, cache and views", () => {
  test("flush succeeds where there is nothing to flush", () => {
    expect(complete(over(new Uint8Array(512))).flush()).toBeUndefined();
  });

  test("trim is refused with ENOTSUP where the disk has none", async () => {
    expect(await thrownBy(() => complete(over(new Uint8Array(512))).trim(0n, 512n))).toMatchObject({ code: "ENOTSUP" });
  });

  test("caching reads the range once, in order, where the disk has no better way", async () => {
    const reads: [bigint, number][] = [];
    const disk = complete({ size: 2n ** 40n, read: (target, offset) => void reads.push([offset, target.length]) });
    await disk.cache(100n, 2_500_000n);
    expect(reads).toEqual([
      [100n, 1048576],
      [1048676n, 1048576],
      [2097252n, 402848],
    ]);
  });

  test("caching is the connection's own where it has one, and refused with ENOTSUP where it wants none", async () => {
    const cache = vi.fn();
    await complete(over(new Uint8Array(512), { cache })).cache(0n, 512n);
    expect(cache).toHaveBeenCalledExactlyOnceWith(0n, 512n);
    const none = complete(over(new Uint8Array(512), { cache, traits: { cache: "none" } }));
    expect(await thrownBy(() => none.cache(0n, 512n))).toMatchObject({ code: "ENOTSUP" });
  });

  test("views are lent as they are, with the connection's this, and absent where it lends none", () => {
    const bytes = pattern(512);
    const connection = {
      ...over(bytes),
      views(offset: bigint, length: number): readonly Uint8Array[] | undefined {
        expect(this).toBe(connection);
        return length > 100 ? undefined : [bytes.subarray(Number(offset), Number(offset) + length)];
      },
    };
    const disk = complete(connection);
    expect(disk.views?.(5n, 10)?.[0]?.buffer).toBe(bytes.buffer);
    expect(disk.views?.(0n, 101)).toBeUndefined();
    expect("views" in complete(over(bytes))).toBe(false);
  });
});

describe("closing", () => {
  test("closes the connection once, and answers every time as the first", async () => {
    const close = vi.fn();
    const disk = complete(over(new Uint8Array(512), { close }));
    const first = disk.close();
    expect(disk.close()).toBe(first);
    await disk[Symbol.asyncDispose]();
    expect(close).toHaveBeenCalledOnce();
  });

  test("is what `await using` does", async () => {
    const close = vi.fn();
    {
      await using disk = complete(over(new Uint8Array(512), { close }));
      expect(isDisk(disk)).toBe(true);
    }
    expect(close).toHaveBeenCalledOnce();
  });

  test("shows what fails, every time", async () => {
    for (const close of [
      () => Promise.reject(new Error("not saved")),
      () => {
        throw new Error("not saved");
      },
    ]) {
      const disk = complete(over(new Uint8Array(512), { close }));
      await expect(disk.close()).rejects.toThrow("not saved");
      await expect(disk.close()).rejects.toThrow("not saved");
    }
  });

  test("makes everything else fail with ESHUTDOWN, at once", async () => {
    const disk = complete(over(new Uint8Array(512), { views: () => [], contexts: [{ name: "x-a:b", extents: () => [] }] }));
    const closed = disk.close();
    const buffer = new Uint8Array(1);
    const calls = [
      () => disk.read(buffer, 0n),
      () => disk.write(buffer, 0n),
      () => disk.flush(),
      () => disk.trim(0n, 1n),
      () => disk.zero(0n, 1n),
      () => disk.extents(0n, 1n),
      () => disk.cache(0n, 1n),
      () => disk.views?.(0n, 1),
      () => disk.contexts[0]?.extents(0n, 1n),
      () => disk.read(buffer, 600n),
    ];
    for (const call of calls) expect(await thrownBy(call)).toMatchObject({ code: "ESHUTDOWN", message: expect.stringContaining("closed") });
    await closed;
  });

  test("waits for what is under way, so that the connection is closed when no other call is", async () => {
    const reading = deferred();
    const writing = deferred();
    const close = vi.fn();
    const disk = complete(over(new Uint8Array(512), { read: () => reading.promise, write: () => writing.promise, close }));
    const read = disk.read(new Uint8Array(1), 0n);
    const write = expect(disk.write(new Uint8Array(1), 0n)).rejects.toThrow("full");
    const closed = disk.close();
    reading.resolve();
    await read;
    await turn();
    expect(close).not.toHaveBeenCalled();
    writing.reject(new Error("full"));
    await write;
    await closed;
    expect(close).toHaveBeenCalledOnce();
  });

  test("ends long emulated work with ESHUTDOWN", async () => {
    let writes = 0;
    const disk = complete({
      size: 2n ** 62n,
      read: () => undefined,
      write: () => {
        writes += 1;
      },
    });
    const zeroing = thrownBy(() => disk.zero(0n, 2n ** 62n));
    await turn();
    await disk.close();
    expect(await zeroing).toMatchObject({ code: "ESHUTDOWN" });
    expect(writes).toBeGreaterThan(0);
  });

  test("does not hide a failure that nobody waits for", async () => {
    const failing = deferred();
    const seen = vi.fn();
    process.once("unhandledRejection", seen);
    const others = process.listeners("unhandledRejection").filter((listener) => listener !== seen);
    for (const listener of others) process.off("unhandledRejection", listener);
    try {
      void complete(over(new Uint8Array(512), { write: () => failing.promise })).write(new Uint8Array(1), 0n);
      failing.reject(new Error("lost write"));
      await vi.waitFor(() => expect(seen).toHaveBeenCalled());
    } finally {
      for (const listener of others) process.on("unhandledRejection", listener);
      process.off("unhandledRejection", seen);
    }
    expect(seen.mock.calls[0]?.[0]).toMatchObject({ message: "lost write" });
  });
});

test("the methods of a disk do not need their this", async () => {
  const bytes = pattern(512);
  const { read, write, zero, cache, close } = complete(over(bytes));
  const target = new Uint8Array(4);
  await write(Uint8Array.of(1, 2, 3, 4), 0n);
  await zero(1n, 2n);
  await cache(0n, 512n);
  await read(target, 0n);
  expect(target).toEqual(Uint8Array.of(1, 0, 0, 4));
  await close();
});

test("a queue has every request of the connection wait its turn, contexts too", async () => {
  const order: string[] = [];
  const first = deferred();
  const slow = async (name: string) => {
    order.push(`${name} begins`);
    if (name === "read") await first.promise;
    order.push(`${name} ends`);
    return [];
  };
  const disk = complete(
    {
      size: 512n,
      read: () => slow("read") as never,
      write: () => slow("write") as never,
      flush: () => slow("flush") as never,
      extents: () => slow("extents"),
      contexts: [{ name: "x-a:b", extents: () => slow("context") }],
    },
    { queue: new Queue() },
  );
  const calls = [
    disk.read(new Uint8Array(1), 0n),
    disk.write(new Uint8Array(1), 0n, fua),
    disk.extents(0n, 1n),
    disk.contexts[0]?.extents(0n, 1n),
  ];
  await turn();
  expect(order).toEqual(["read begins"]);
  first.resolve();
  await Promise.all(calls);
  expect(order).toEqual(["read", "write", "extents", "context", "flush"].flatMap((name) => [`${name} begins`, `${name} ends`]));
});
