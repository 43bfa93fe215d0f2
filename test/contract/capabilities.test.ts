import { describe, expect, test } from "vitest";
import { type Connection, complete, MAX_SIZE } from "../../src/contract/index.ts";
import { over, thrownBy } from "./fixtures.ts";

const bytes = new Uint8Array(4096);
const nothing = () => undefined;
const readOnly: Connection = { size: 4096n, read: nothing };
const can = (more: Partial<Connection>) => complete(over(bytes, more)).capabilities;

describe("a missing method is a missing capability", () => {
  test("a disk with nothing but read can nothing but read, and cache by that", () => {
    expect(complete(readOnly).capabilities).toEqual({
      write: false,
      flush: false,
      trim: false,
      zero: false,
      extents: false,
      views: false,
      fua: "none",
      offersZero: false,
      fastZero: false,
      trimZeroes: false,
      multiConn: false,
      rotational: false,
      cache: "emulate",
    });
  });

  test("a disk with everything can everything", () => {
    const everything = {
      flush: nothing,
      trim: nothing,
      zero: nothing,
      extents: () => [],
      cache: nothing,
      views: nothing,
      traits: { fua: "native", fastZero: true, trimZeroes: true, multiConn: true, rotational: true },
    } as const;
    expect(can(everything)).toEqual({
      write: true,
      flush: true,
      trim: true,
      zero: true,
      extents: true,
      views: true,
      fua: "native",
      offersZero: true,
      fastZero: true,
      trimZeroes: true,
      multiConn: true,
      rotational: true,
      cache: "native",
    });
  });

  test("what needs writing is not there on a disk that cannot be written", () => {
    const disk = complete({
      ...readOnly,
      trim: nothing,
      zero: nothing,
      flush: nothing,
      traits: { fua: "native", fastZero: true, trimZeroes: true },
    });
    expect(disk.capabilities).toMatchObject({ trim: false, zero: false, fua: "none", fastZero: false, trimZeroes: false, flush: true });
  });

  test("FUA is emulated where there is a flush, unless the disk says otherwise", () => {
    expect(can({}).fua).toBe("none");
    expect(can({ flush: nothing }).fua).toBe("emulate");
    expect(can({ flush: nothing, traits: { fua: "none" } }).fua).toBe("none");
    expect(can({ traits: { fua: "native" } }).fua).toBe("native");
  });

  test("caching is done by cache() where there is one, else by reading, and can be refused", () => {
    expect(can({}).cache).toBe("emulate");
    expect(can({ cache: nothing }).cache).toBe("native");
    expect(can({ cache: nothing, traits: { cache: "emulate" } }).cache).toBe("emulate");
    expect(can({ traits: { cache: "none" } }).cache).toBe("none");
    expect(can({ traits: { cache: "native" } }).cache).toBe("emulate");
  });

  test("fast zeroing needs a zero() that was said to heed it", () => {
    expect(can({ traits: { fastZero: true } }).fastZero).toBe(false);
    expect(can({ zero: nothing }).fastZero).toBe(false);
    expect(can({ zero: nothing, traits: { fastZero: true } }).fastZero).toBe(true);
  });

  test("methods of a class count, and so do those that are undefined not", () => {
    class Disk {
      readonly size = 512n;
      read(): void {}
      write(): void {}
    }
    expect(complete(new Disk()).capabilities.write).toBe(true);
    expect(complete({ ...readOnly, write: undefined, zero: undefined } as unknown as Connection).capabilities.write).toBe(false);
  });

  test("they are frozen", () => {
    expect(Object.isFrozen(can({}))).toBe(true);
  });
});

describe("sizes", () => {
  test.each([0n, 1n, 511n, MAX_SIZE])("%d bytes are a disk", (size) => {
    expect(complete({ ...readOnly, size }).size).toBe(size);
  });

  test.each([-1n, MAX_SIZE + 1n, 4096, "4096", undefined])("%s is no size of a disk", async (size) => {
    const error = await thrownBy(() => complete({ ...readOnly, size: size as bigint }));
    expect(error).toMatchObject({ code: "EINVAL", message: expect.stringContaining(`size ${size} (a ${typeof size})`) });
  });
});

describe("what a disk cannot say of itself is refused with what is allowed", () => {
  const block = (minimum: unknown, preferred: unknown, maximum: unknown) => ({ blockSize: { minimum, preferred, maximum } });
  test.each<[string, object, string]>([
    ["no read", { read: undefined }, "without read()"],
    ["a method that is no function", { write: true }, "whose write is no function: true"],
    ["a minimum block of 3", block(3, 512, 4096), "blockSize.minimum 3"],
    ["a minimum block of 0", block(0, 512, 4096), "blockSize.minimum 0"],
    ["a minimum block of 128 KiB", block(131072, 131072, 131072), "from 1 to 65536"],
    ["a preferred block of 256", block(1, 256, 4096), "blockSize.preferred 256"],
    ["a preferred block below the minimum", block(4096, 512, 4096), "at least the minimum (4096)"],
    ["a maximum below the preferred", block(512, 4096, 2048), "at least preferred (4096)"],
    ["a maximum that is no multiple", block(512, 4096, 5000), "multiple of the minimum (512)"],
    ["a maximum of 4 GiB", block(1, 512, 2 ** 32), "at most 4294967295"],
    ["blocks that are bigints", block(1n, 512n, 4096n), "blockSize.minimum 1"],
    ["emulated FUA without flush", { traits: { fua: "emulate" } }, "without a flush()"],
    ["a misspelt trait", { traits: { fua: "natve" } }, 'traits.fua "natve": expected none, emulate, native'],
    ["a misspelt cache", { traits: { cache: true } }, "traits.cache true"],
    ["a description of 5000 bytes", { description: "é".repeat(2500) }, "at most 4096 bytes"],
    ["a context without namespace", { contexts: [{ name: "changed", extents: () => [] }] }, "namespace:leaf"],
    ["a context in base:", { contexts: [{ name: "base:allocation", extents: () => [] }] }, "base: is taken"],
    ["two contexts of one name", { contexts: [1, 2].map(() => ({ name: "x-a:b", extents: () => [] })) }, "two contexts named x-a:b"],
    ["a context without extents", { contexts: [{ name: "x-a:b" }] }, "x-a:b without extents()"],
  ])("%s", async (_, more, text) => {
    const error = await thrownBy(() => complete({ ...readOnly, ...more } as Connection, { name: "letters" }));
    expect(error).toMatchObject({ name: "DiskError", code: "EINVAL", message: expect.stringMatching(/^letters opened /) });
    expect(String(error)).toContain(text);
  });

  test.each([undefined, null, 5, "disk"])("%s in place of a connection", async (value) => {
    expect(await thrownBy(() => complete(value as never))).toMatchObject({
      message: `a plugin opened ${value}: expected a connection, with a size and read()`,
    });
  });

  test("block sizes, descriptions and contexts that can be are kept", () => {
    const blockSize = { minimum: 512, preferred: 4096, maximum: 0xffffffff };
    const disk = complete({ ...readOnly, blockSize, description: "letters", contexts: [{ name: "x-a:b", extents: () => [] }] });
    expect(disk).toMatchObject({ blockSize, description: "letters", contexts: [{ name: "x-a:b" }] });
    expect("blockSize" in complete(readOnly)).toBe(false);
    expect("description" in complete(readOnly)).toBe(false);
  });
});
