import { describe, expect, test, vi } from "vitest";
import type { Connection, Disk, Filter, Overrides, Plugin } from "../../src/contract/index.ts";
import { complete, completeOver, filter, openDisk, pipe, writeFlags } from "../../src/contract/index.ts";
import { Queue } from "../../src/contract/queue.ts";
import { over, pattern, pluginOf, thrownBy } from "./fixtures.ts";

const nothing = () => undefined;
const fua = writeFlags(true);
const operations = ["read", "write", "flush", "trim", "zero", "extents", "cache"] as const;

/** A disk that can do everything itself. */
const able = (more: Partial<Connection> = {}): Connection =>
  over(pattern(4096), {
    flush: nothing,
    trim: nothing,
    zero: nothing,
    extents: () => [],
    cache: nothing,
    views: () => undefined,
    blockSize: { minimum: 1, preferred: 4096, maximum: 65536 },
    description: "able",
    contexts: [{ name: "x-a:b", extents: () => [] }],
    traits: { fua: "native", fastZero: true, trimZeroes: true, multiConn: true, rotational: true },
    ...more,
  });
const readOnly: Connection = { size: 4096n, read: nothing };

describe("an operation that is not touched", () => {
  test.each<[string, Connection]>([
    ["a disk that can do everything", able()],
    ["a disk that can but read and write", over(new Uint8Array(4096))],
    ["a disk that cannot be written", readOnly],
    ["a disk that refuses FUA and caching", able({ traits: { fua: "none", cache: "none" } })],
  ])("is the very same function through three filters: %s", async (_, connection) => {
    const disks: Disk[] = [];
    const pass: Filter = filter("pass", (disk) => {
      disks.push(disk);
      return {};
    });
    await using top = await openDisk(pipe(pluginOf(connection), pass, pass, pass));
    expect(disks).toHaveLength(3);
    for (const operation of operations) expect(top[operation]).toBe(disks[0]?.[operation]);
    expect(top.views).toBe(disks[0]?.views);
    expect(top.contexts).toBe(disks[0]?.contexts);
    expect(top.blockSize).toBe(disks[0]?.blockSize);
    expect(top.description).toBe(disks[0]?.description);
    expect("views" in top).toBe("views" in connection);
  });

  test("keeps what the disk can do, FUA being passed on rather than emulated once more", () => {
    const capabilities = (connection: Connection) => completeOver(complete(connection), {}).capabilities;
    for (const connection of [able(), readOnly, over(new Uint8Array(4096)), able({ traits: { fua: "none", cache: "none" } })]) {
      expect(capabilities(connection)).toEqual(complete(connection).capabilities);
    }
    const emulated = over(new Uint8Array(4096), { flush: nothing });
    expect(complete(emulated).capabilities.fua).toBe("emulate");
    expect(capabilities(emulated)).toEqual({ ...complete(emulated).capabilities, fua: "native" });
  });

  test("is the same while others are overridden, one at a time", () => {
    const below = complete(able());
    for (const overridden of operations) {
      const disk = completeOver(below, { [overridden]: overridden === "extents" ? () => [] : nothing });
      for (const operation of operations) {
        if (operation === overridden) expect(disk[operation]).not.toBe(below[operation]);
        else expect([overridden, operation, disk[operation] === below[operation]]).toEqual([overridden, operation, true]);
      }
    }
  });

  test("does close the layers", async () => {
    const close = vi.fn();
    const disk = completeOver(completeOver(complete(able({ close })), {}), {});
    await disk.close();
    expect(close).toHaveBeenCalledOnce();
    expect(await thrownBy(() => disk.read(new Uint8Array(1), 0n))).toMatchObject({ code: "ESHUTDOWN" });
  });
});

describe("a capability is taken away by `undefined`", () => {
  test("write: the disk cannot be written, trimmed or zeroed any more", async () => {
    const disk = completeOver(complete(able()), { write: undefined });
    expect(disk.capabilities).toMatchObject({ write: false, trim: false, zero: false, fua: "none", fastZero: false, trimZeroes: false });
    expect(await thrownBy(() => disk.write(new Uint8Array(1), 0n))).toMatchObject({ code: "EPERM" });
    expect(await thrownBy(() => disk.trim(0n, 1n))).toMatchObject({ code: "EPERM" });
    expect(await thrownBy(() => disk.zero(0n, 1n))).toMatchObject({ code: "EPERM" });
  });

  test("trim: is refused; zero: is done by writing; extents: all is data; views: nothing is lent", async () => {
    const below = complete(able());
    const disk = completeOver(below, { trim: undefined, zero: undefined, extents: undefined, views: undefined, description: undefined });
    expect(disk.capabilities).toMatchObject({ trim: false, zero: false, fastZero: false, extents: false, views: false, write: true });
    expect(await thrownBy(() => disk.trim(0n, 1n))).toMatchObject({ code: "ENOTSUP" });
    await disk.zero(0n, 4n);
    const target = new Uint8Array(5);
    await disk.read(target, 0n);
    expect(target).toEqual(Uint8Array.of(0, 0, 0, 0, pattern(5)[4] as number));
    expect(disk.extents(0n, 10n)).toEqual([{ offset: 0n, length: 10n, hole: false, zero: false }]);
    expect("views" in disk || "description" in disk).toBe(false);
  });

  test("flush: there is nothing to flush, while FUA goes on to be heeded below", async () => {
    const flush = vi.fn();
    const disk = completeOver(complete(over(new Uint8Array(512), { flush })), { flush: undefined });
    expect(disk.capabilities).toMatchObject({ flush: false, fua: "native" });
    await disk.flush();
    expect(flush).not.toHaveBeenCalled();
    await disk.write(new Uint8Array(1), 0n, fua);
    expect(flush).toHaveBeenCalledOnce();
  });

  test("cache: is done by reading, unless the trait says none", async () => {
    const cache = vi.fn();
    const read = vi.fn();
    const below = complete(able({ cache, read }));
    await completeOver(below, { cache: undefined }).cache(0n, 10n);
    expect(read).toHaveBeenCalledOnce();
    const none = completeOver(below, { traits: { cache: "none" } });
    expect(await thrownBy(() => none.cache(0n, 10n))).toMatchObject({ code: "ENOTSUP" });
    expect(cache).not.toHaveBeenCalled();
  });
});

describe("what is overridden", () => {
  test("read: drops views, and is what caching reads by", async () => {
    const read = vi.fn();
    const below = complete(over(new Uint8Array(512), { views: () => [] }));
    const disk = completeOver(below, { read });
    expect(disk.capabilities.views).toBe(false);
    expect("views" in disk).toBe(false);
    await disk.cache(0n, 512n);
    expect(read).toHaveBeenCalledOnce();
    expect(completeOver(below, { read, views: () => [] }).capabilities.views).toBe(true);
  });

  test("write: is what zeroing is done by where the disk below has no better way", async () => {
    const write = vi.fn();
    await completeOver(complete(over(new Uint8Array(512))), { write }).zero(5n, 10n);
    expect(write).toHaveBeenCalledExactlyOnceWith(new Uint8Array(10), 5n, { fua: false });
  });

  test("trim: is not taken for zeroing, as it is not known to zero", async () => {
    const trim = vi.fn();
    const bytes = pattern(512);
    const below = complete(over(bytes, { trim: nothing, traits: { trimZeroes: true } }));
    const disk = completeOver(below, { trim });
    await disk.zero(0n, 512n);
    expect(trim).not.toHaveBeenCalled();
    expect(bytes).toEqual(new Uint8Array(512));
    expect(completeOver(below, { trim, traits: { trimZeroes: true } }).capabilities.trimZeroes).toBe(true);
  });

  test("gets FUA itself where the disk below can, to pass it on", () => {
    const write = vi.fn();
    completeOver(complete(over(new Uint8Array(512), { flush: nothing })), { write }).write(new Uint8Array(1), 0n, fua);
    expect(write).toHaveBeenCalledExactlyOnceWith(new Uint8Array(1), 0n, fua);
  });

  test("flush: makes FUA possible where there was none", async () => {
    const flush = vi.fn();
    const disk = completeOver(complete(over(new Uint8Array(512))), { flush });
    expect(disk.capabilities).toMatchObject({ flush: true, fua: "emulate" });
    await disk.write(new Uint8Array(1), 0n, fua);
    expect(flush).toHaveBeenCalledOnce();
  });

  test("write and more on a disk that could not be written: an overlay", async () => {
    const writes = new Map<bigint, number>();
    const overlay: Overrides = {
      read: (target, offset) => void target.fill(writes.get(offset) ?? 0),
      write: (source, offset) => void writes.set(offset, source[0] as number),
      traits: { readonly: false },
    };
    const disk = completeOver(complete(readOnly), overlay);
    expect(disk.capabilities).toMatchObject({ write: true, trim: false, fua: "none" });
    await disk.write(Uint8Array.of(7), 3n);
    const target = new Uint8Array(1);
    await disk.read(target, 3n);
    expect(target[0]).toBe(7);
    expect(await thrownBy(() => disk.trim(0n, 1n))).toMatchObject({ code: "ENOTSUP" });
    await disk.zero(3n, 1n);
    await disk.read(target, 3n);
    expect(target[0]).toBe(0);
  });

  test("write and trim do not make a disk writable, or able to trim, that is not so below", async () => {
    const write = vi.fn();
    const trim = vi.fn();
    const slice = completeOver(complete(readOnly), { write, trim });
    expect(slice.capabilities).toMatchObject({ write: false, trim: false });
    expect(await thrownBy(() => slice.write(new Uint8Array(1), 0n))).toMatchObject({ code: "EPERM" });
    const writable = completeOver(complete(over(new Uint8Array(512))), { write, trim });
    expect(writable.capabilities).toMatchObject({ write: true, trim: false });
    expect(await thrownBy(() => writable.trim(0n, 1n))).toMatchObject({ code: "ENOTSUP" });
    expect(write).not.toHaveBeenCalled();
    expect(trim).not.toHaveBeenCalled();
  });

  test("traits.readonly takes writing away whatever methods there are", async () => {
    expect(complete(over(new Uint8Array(512), { traits: { readonly: true } })).capabilities.write).toBe(false);
    const disk = completeOver(complete(able()), { traits: { readonly: true } });
    expect(disk.capabilities).toMatchObject({ write: false, trim: false, zero: false, fua: "none" });
    expect(await thrownBy(() => disk.zero(0n, 1n))).toMatchObject({ code: "EPERM" });
  });

  test("FUA may be refused or emulated anew", async () => {
    const below = complete(able());
    const none = completeOver(below, { traits: { fua: "none" } });
    expect(await thrownBy(() => none.write(new Uint8Array(1), 0n, fua))).toMatchObject({ code: "EINVAL" });
    const flush = vi.fn();
    await completeOver(below, { flush, traits: { fua: "emulate" } }).write(new Uint8Array(1), 0n, fua);
    expect(flush).toHaveBeenCalledOnce();
  });

  test("fast zeroing may be taken away", async () => {
    const disk = completeOver(complete(able()), { traits: { fastZero: false } });
    expect(await thrownBy(() => disk.zero(0n, 1n, { fua: false, noHole: false, fastZero: true }))).toMatchObject({ code: "ENOTSUP" });
  });

  test("methods of a class keep their this and their private fields, with a queue and without", async () => {
    class Inverted implements Overrides {
      readonly #disk: Disk;
      constructor(disk: Disk) {
        this.#disk = disk;
      }
      get description(): string {
        return `inverted ${this.#disk.size}`;
      }
      async read(target: Uint8Array, offset: bigint): Promise<void> {
        await this.#disk.read(target, offset);
        for (const [i, byte] of target.entries()) target[i] = ~byte;
      }
      views(): readonly Uint8Array[] {
        return [Uint8Array.of(Number(this.#disk.size & 0xffn))];
      }
    }
    for (const options of [{}, { queue: new Queue() }]) {
      const below = complete(over(pattern(512)));
      const disk = completeOver(below, new Inverted(below), options);
      const target = new Uint8Array(4);
      await disk.read(target, 0n);
      expect(target).toEqual(pattern(4).map((byte) => ~byte));
      expect(disk.description).toBe("inverted 512");
      expect(disk.views?.(0n, 1)).toEqual([Uint8Array.of(0)]);
    }
  });
});

describe("another size", () => {
  test("is what ranges are checked against from then on, for every operation", async () => {
    const disk = completeOver(complete(able()), { size: 100n });
    const refusals: [() => unknown, string][] = [
      [() => disk.read(new Uint8Array(2), 99n), "EINVAL"],
      [() => disk.write(new Uint8Array(2), 99n), "ENOSPC"],
      [() => disk.trim(99n, 2n), "EINVAL"],
      [() => disk.zero(99n, 2n), "ENOSPC"],
      [() => disk.extents(99n, 2n), "EINVAL"],
      [() => disk.cache(99n, 2n), "EINVAL"],
      [() => disk.views?.(99n, 2), "EINVAL"],
      [() => disk.contexts[0]?.extents(99n, 2n), "EINVAL"],
    ];
    for (const [call, code] of refusals) {
      expect(await thrownBy(call)).toMatchObject({ code, message: expect.stringContaining("(100 bytes)") });
    }
    await disk.read(new Uint8Array(100), 0n);
  });

  test("that is the same changes nothing", () => {
    const below = complete(able());
    expect(completeOver(below, { size: 4096n }).read).toBe(below.read);
  });
});

describe("a plugin that is a class, with private fields and methods on its prototype", () => {
  class Source implements Plugin {
    readonly name = "source";
    open(): Connection {
      return new Tape(pattern(4096));
    }
  }
  class Tape implements Connection {
    readonly #bytes: Uint8Array;
    #flushed = 0;
    constructor(bytes: Uint8Array) {
      this.#bytes = bytes;
    }
    get size(): bigint {
      return BigInt(this.#bytes.length);
    }
    get description(): string {
      return `flushed ${this.#flushed} times`;
    }
    read(target: Uint8Array, offset: bigint): void {
      target.set(this.#bytes.subarray(Number(offset), Number(offset) + target.length));
    }
    write(source: Uint8Array, offset: bigint): void {
      this.#bytes.set(source, Number(offset));
    }
    flush(): void {
      this.#flushed += 1;
    }
    trim(offset: bigint, length: bigint): void {
      this.zero(offset, length);
    }
    zero(offset: bigint, length: bigint): void {
      this.#bytes.fill(0, Number(offset), Number(offset + length));
    }
    extents(): { offset: bigint; length: bigint }[] {
      return [{ offset: 0n, length: this.size }];
    }
    cache(): void {
      this.#flushed += 0;
    }
    views(offset: bigint, length: number): Uint8Array[] {
      return [this.#bytes.subarray(Number(offset), Number(offset) + length)];
    }
  }

  test.each<[string, Filter[]]>([
    ["no filter", []],
    ["one that changes nothing", [filter("pass", () => ({}))]],
    ["one that is one thing at a time", [filter("pass", () => ({}), { concurrency: "plugin" })]],
    ["three of them", [1, 2, 3].map(() => filter("pass", () => ({})))],
    ["one that changes the size", [filter("truncate", () => ({ size: 4000n }))]],
    [
      "one that overrides everything",
      [
        filter(
          "all",
          ({ read, write, flush, trim, zero, extents, cache, views }) => ({
            read,
            write,
            flush,
            trim,
            zero,
            extents,
            cache,
            ...(views && { views }),
          }),
          { concurrency: "connection" },
        ),
      ],
    ],
    ["one written by hand", [(next) => ({ name: "hand", open: (request) => next.open(request) })]],
  ])("can do through %s what it can itself", async (_, filters) => {
    await using disk = await openDisk(pipe(new Source(), ...filters));
    expect(disk.capabilities).toMatchObject({
      write: true,
      flush: true,
      trim: true,
      zero: true,
      extents: true,
      views: true,
      cache: "native",
    });
    expect(disk.description).toBe("flushed 0 times");
    const target = new Uint8Array(4);
    await disk.write(Uint8Array.of(1, 2, 3, 4), 0n, fua);
    await disk.zero(1n, 1n);
    await disk.trim(2n, 1n);
    await disk.cache(0n, 512n);
    await disk.read(target, 0n);
    expect(target).toEqual(Uint8Array.of(1, 0, 0, 4));
    expect(disk.views?.(0n, 4)).toEqual([target]);
    expect(await disk.extents(0n, 10n)).toEqual([{ offset: 0n, length: 10n, hole: false, zero: false }]);
    await disk.flush();
  });
});
