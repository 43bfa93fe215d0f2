// A disk of many objects: what lies in the bucket, and when.

import { s3 } from "@diskwright/s3";
import { openDisk } from "diskwright";
import { describe, expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { at, failureOf } from "./fixtures/disks.ts";
import { type MemoryS3, memoryS3 } from "./fixtures/memory-s3.ts";

const KIB = 1024n;
const zeroFlags = { fua: false, noHole: false, fastZero: false };

/** The names of the disk's objects, without what they all begin with. */
function numbers({ objects }: MemoryS3): string[] {
  return [...objects.keys()].flatMap((key) => /^disk\/([0-9a-f]{16})$/.exec(key)?.[1]?.replace(/^0+(?=.)/, "") ?? []).sort();
}

/** Requests of a kind for the disk's objects. */
function count({ asked }: MemoryS3, method: string): number {
  return asked.filter((one) => one.method === method && /\/[0-9a-f]{16}$/.test(one.key)).length;
}

async function disk64(options = {}) {
  const store = await memoryS3();
  const settings = at(store.endpoint, { size: "1M", objectSize: "64k", ...options });
  return { store, settings, disk: await openDisk(s3(settings)) };
}

describe("writing", () => {
  test("objects are those of nbdkit's layout, all of one size, and stored when they are flushed", async () => {
    const { store, disk } = await disk64({ size: 1_000_000 });
    await disk.write(Buffer.from("start"), 0n);
    await disk.write(Buffer.from("end"), 999_997n);
    expect(numbers(store)).toEqual([]);
    await disk.flush();
    expect(numbers(store)).toEqual(["0", "f"]);
    for (const key of ["disk/0000000000000000", "disk/000000000000000f"]) expect(store.objects.get(key)?.content.length).toBe(65536);
    await disk.close();
  });

  test("with FUA, or without room for it, is stored when it is answered", async () => {
    const { store, disk } = await disk64();
    await disk.write(Buffer.from("x"), 0n, { fua: true });
    expect(numbers(store)).toEqual(["0"]);
    await disk.close();
    const through = await disk64({ maxDirty: 0 });
    await through.disk.write(Buffer.from("x"), 70_000n);
    expect(numbers(through.store)).toEqual(["1"]);
    await through.disk.close();
  });

  test("a part of an object keeps the rest, which is fetched once; a whole one fetches nothing", async () => {
    const { store, settings, disk } = await disk64();
    const content = sample(65536);
    await disk.write(content, 0n);
    await disk.flush();
    expect(count(store, "GET")).toBe(0);
    await disk.close();
    const again = await openDisk(s3(settings));
    for (let i = 0; i < 10; i += 1) await again.write(Buffer.from([i]), BigInt(i * 100));
    await again.flush();
    expect([count(store, "GET"), count(store, "PUT")]).toEqual([1, 2]);
    for (let i = 0; i < 10; i += 1) content[i * 100] = i;
    expect(store.objects.get("disk/0000000000000000")?.content.equals(content)).toBe(true);
    await again.close();
  });

  test("no more objects are in memory than maxDirty allows, and what is read is what was written", async () => {
    const { store, disk } = await disk64({ size: "4M", maxDirty: "256k" });
    const content = sample(4 * 2 ** 20);
    for (let offset = 0; offset < content.length; offset += 65536)
      await disk.write(content.subarray(offset, offset + 65536), BigInt(offset));
    expect(64 - numbers(store).length).toBeLessThanOrEqual(4);
    const target = Buffer.alloc(content.length);
    await disk.read(target, 0n);
    expect(target.equals(content)).toBe(true);
    await disk.close();
    expect(numbers(store)).toHaveLength(64);
  });

  test("what is written while an object is on its way is stored by the next flush, and does not spoil what is on its way", async () => {
    const { store, disk } = await disk64();
    let arrived = (): void => undefined;
    let go = (): void => undefined;
    const putting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const held = new Promise<undefined>((resolve) => {
      go = () => resolve(undefined);
    });
    await disk.write(Buffer.alloc(65536, "a"), 0n);
    store.refuse = ({ method, key }) => {
      if (method !== "PUT" || !key.endsWith("0000")) return undefined;
      arrived();
      return held;
    };
    const flushing = disk.flush();
    await putting;
    await disk.write(Buffer.alloc(65536, "b"), 0n);
    go();
    await flushing;
    expect(store.objects.get("disk/0000000000000000")?.content.equals(Buffer.alloc(65536, "a"))).toBe(true);
    await disk.flush();
    expect(store.objects.get("disk/0000000000000000")?.content.equals(Buffer.alloc(65536, "b"))).toBe(true);
    await disk.close();
  });

  test("what cannot be stored fails the flush, stays, and is stored by the next", async () => {
    const { store, disk } = await disk64({ maxAttempts: 1 });
    await disk.write(Buffer.from("kept"), 0n);
    store.refuse = ({ method, key }) => (method === "PUT" && key.endsWith("0000") ? { status: 500, code: "InternalError" } : undefined);
    expect((await failureOf(() => disk.flush())).message).toContain(
      "cannot write s3://disks/disk/0000000000000000: the service answered 500 InternalError",
    );
    const target = Buffer.alloc(4);
    await disk.read(target, 0n);
    expect(target.toString()).toBe("kept");
    store.refuse = () => undefined;
    await disk.flush();
    expect(store.objects.get("disk/0000000000000000")?.content.subarray(0, 4).toString()).toBe("kept");
    await disk.close();
  });

  test("what cannot be stored when the disk is closed is lost, and said to be", async () => {
    const { store, disk } = await disk64({ maxAttempts: 1 });
    await disk.write(Buffer.from("lost"), 0n);
    store.refuse = ({ method, key }) => (method === "PUT" && key.endsWith("0000") ? { status: 500, code: "InternalError" } : undefined);
    const { code, message } = await failureOf(() => disk.close());
    expect([code, message]).toEqual([
      "EIO",
      expect.stringContaining("65536 bytes of objects were written and could not be stored when the disk was closed"),
    ]);
  });
});

describe("zeroing and trimming", () => {
  test("delete the objects that lie in the range, and zeroing writes the edges", async () => {
    const { store, disk } = await disk64();
    await disk.write(Buffer.alloc(2 ** 20, "x"), 0n);
    await disk.flush();
    await disk.trim(100n * KIB, 300n * KIB);
    expect(numbers(store)).not.toContain("2");
    expect(numbers(store)).toHaveLength(16 - 4);
    await disk.zero(500n * KIB, 2n ** 20n - 500n * KIB - 1n, zeroFlags);
    await disk.flush();
    expect(numbers(store)).toEqual(["0", "1", "6", "7", "f"]);
    const target = Buffer.alloc(2 ** 20);
    await disk.read(target, 0n);
    expect(target.indexOf(0)).toBe(128 * 1024);
    expect(target.subarray(384 * 1024, 500 * 1024).every((byte) => byte === 0x78)).toBe(true);
    expect(target.subarray(500 * 1024, -1).every((byte) => byte === 0)).toBe(true);
    expect(target.at(-1)).toBe(0x78);
    await disk.close();
  });

  test("of a large range ask which objects are there, and delete those", async () => {
    const { store, disk } = await disk64({ size: "1T" });
    store.pageSize = 3;
    for (const offset of [0n, 2n ** 30n, 2n ** 35n, 2n ** 38n, 2n ** 39n + 5n, 2n ** 40n - 1n]) await disk.write(Buffer.from("x"), offset);
    await disk.flush();
    await disk.trim(65536n, 2n ** 40n - 65536n - 65536n);
    expect(numbers(store)).toEqual(["0", "ffffff"]);
    await disk.zero(0n, 2n ** 40n, zeroFlags);
    expect(numbers(store)).toEqual([]);
    await disk.close();
  });

  test("work where several objects cannot be deleted at once", async () => {
    const { store, disk } = await disk64();
    await disk.write(Buffer.alloc(2 ** 20, "x"), 0n);
    await disk.flush();
    store.refuse = ({ method }) => (method === "POST" ? { status: 501, code: "NotImplemented" } : undefined);
    await disk.zero(0n, 2n ** 20n, zeroFlags);
    expect(numbers(store)).toEqual([]);
    await disk.close();
  });

  test("of parts of a hole leave it one", async () => {
    const { store, disk } = await disk64();
    await disk.zero(10n, 100n, zeroFlags);
    await disk.flush();
    expect(numbers(store)).toEqual([]);
    await disk.close();
  });

  test("that fail leave what was written", async () => {
    const { store, disk } = await disk64({ maxAttempts: 1 });
    await disk.write(Buffer.alloc(65536, "x"), 0n);
    store.refuse = ({ method }) => (method === "DELETE" ? { status: 403, code: "AccessDenied" } : undefined);
    expect((await failureOf(() => disk.trim(0n, 65536n))).message).toContain("cannot delete s3://disks/disk/0000000000000000");
    await disk.flush();
    expect(numbers(store)).toEqual(["0"]);
    await disk.close();
  });
});

describe("what lies in the bucket", () => {
  test("is told as extents, over several pages, with what is not stored yet", async () => {
    const { store, disk } = await disk64();
    store.pageSize = 2;
    for (const number of [1n, 2n, 5n, 9n]) await disk.write(Buffer.from("x"), number * 65536n);
    await disk.flush();
    await disk.write(Buffer.from("x"), 12n * 65536n);
    const list = [];
    for (let offset = 0n; offset < disk.size; ) {
      const extents = await disk.extents(offset, disk.size - offset);
      list.push(...extents);
      const last = extents.at(-1) as (typeof extents)[number];
      offset = last.offset + last.length;
    }
    expect(list.flatMap((extent) => (extent.hole ? [] : [[extent.offset / 65536n, extent.length / 65536n]]))).toEqual([
      [1n, 2n],
      [5n, 1n],
      [9n, 1n],
      [12n, 1n],
    ]);
    await disk.close();
  });

  test("an object of another size is an error that names it, and the place", async () => {
    const { store, disk } = await disk64();
    for (const [number, length] of [
      ["1", 100],
      ["2", 70_000],
      ["3", 0],
    ] as const) {
      store.put(`disk/000000000000000${number}`, Buffer.alloc(length));
      const target = Buffer.alloc(1000);
      const failure = await failureOf(() => disk.read(target, BigInt(number) * 65536n + 50n));
      expect(failure.code).toBe("EIO");
      expect(failure.message).toMatch(
        new RegExp(`^s3://disks/disk/000000000000000${number} has (${length}|fewer) bytes, not the 65536 that it is to have$`),
      );
    }
    await disk.close();
  });
});

describe("the manifest", () => {
  test("lets a disk be opened without its sizes, and not with others", async () => {
    const { store, disk } = await disk64();
    await disk.close();
    const open = (options: object) => openDisk(s3(at(store.endpoint, options)));
    await using again = await open({ chunked: true });
    expect([again.size, again.blockSize?.preferred]).toEqual([2n ** 20n, 65536]);
    await again.close();
    for (const options of [{ size: "2M", objectSize: "64k" }, { size: "1M", objectSize: "128k" }, { size: "512k" }]) {
      const { code, message } = await failureOf(() => open(options));
      expect([code, message]).toEqual([
        "EINVAL",
        expect.stringContaining("the disk at s3://disks/disk/ was made with size 1048576 and objectSize 65536, not"),
      ]);
    }
    await using grown = await open({ size: "2M", grow: true });
    expect(grown.size).toBe(2n ** 21n);
    await grown.close();
    expect((await failureOf(() => open({ size: "1M", grow: true }))).code).toBe("EINVAL");
  });

  test("a disk of nbdkit's is opened without one, and one is written on demand", async () => {
    const store = await memoryS3();
    store.put("disk/0000000000000002", Buffer.alloc(65536, "n"));
    const options = at(store.endpoint, { size: "1M", objectSize: "64k" });
    const disk = await openDisk(s3(options));
    const target = Buffer.alloc(4);
    await disk.read(target, 2n * 65536n);
    expect(target.toString()).toBe("nnnn");
    await disk.close();
    expect(store.objects.has("disk/diskwright-manifest")).toBe(false);
    for (const wrong of [{ objectSize: "128k" }, { size: "128k" }]) {
      expect((await failureOf(() => openDisk(s3({ ...options, ...wrong })))).message).toContain("s3://disks/disk/0000000000000002");
    }
    expect((await failureOf(() => openDisk(s3(at(store.endpoint, { chunked: true }))))).message).toContain(
      "size and objectSize must be given",
    );
    await (await openDisk(s3({ ...options, manifest: "always" }))).close();
    expect(store.objects.has("disk/diskwright-manifest")).toBe(true);
  });

  test("a disk that is not there is not made by who only reads", async () => {
    const store = await memoryS3();
    const failure = await failureOf(() => openDisk(s3(at(store.endpoint, { size: "1M", objectSize: "64k" })), { readonly: true }));
    expect(failure.code).toBe("ENOENT");
    expect(store.objects.size).toBe(0);
  });
});
