import { describe, expect, test, vi } from "vitest";
import type { ClientInfo, Disk, FilterOptions, OpenRequest, Overrides, Peer, Plugin } from "../../src/contract/index.ts";
import { filter, isDisk, openDisk, pipe } from "../../src/contract/index.ts";
import { deferred } from "../fixtures/deferred.ts";
import { over, pattern, pluginOf, thrownBy } from "./fixtures.ts";

const peer: Peer = { transport: "unix" };
const client: ClientInfo = { peer, readonly: false, tls: false, signal: new AbortController().signal };
const request: OpenRequest = { ...client, exportName: "", disconnect: () => undefined };
const pass = (name = "pass", options: FilterOptions = {}) => filter(name, () => ({}), options);

describe("building", () => {
  test("happens for each client, with the disk below and the client's request", async () => {
    const build = vi.fn((_disk: Disk, _request: OpenRequest): Overrides => ({}));
    const plugin = pipe(
      pluginOf(() => over(new Uint8Array(512))),
      filter("f", build),
    );
    const disks = [await openDisk(plugin, { exportName: "a" }), await openDisk(plugin, { exportName: "b" })];
    expect(build.mock.calls.map(([disk, { exportName }]) => [isDisk(disk), exportName])).toEqual([
      [true, "a"],
      [true, "b"],
    ]);
    for (const disk of disks) await disk.close();
  });

  test("may take its time", async () => {
    const plugin = pipe(
      pluginOf(over(new Uint8Array(512))),
      filter("f", async () => ({ description: "later" })),
    );
    await using disk = await openDisk(plugin);
    expect(disk.description).toBe("later");
  });

  test("that fails closes the disk below, and loses no error", async () => {
    const close = vi.fn(() => Promise.reject(new Error("not saved")));
    const no = filter("f", () => {
      throw new Error("no LUKS header");
    });
    await expect(openDisk(pipe(pluginOf(over(new Uint8Array(512))), no))).rejects.toThrow(/^no LUKS header$/);
    await expect(openDisk(pipe(pluginOf(over(new Uint8Array(512), { close })), no))).rejects.toThrow("no LUKS header; then not saved");
    expect(close).toHaveBeenCalledOnce();
  });

  test("something impossible is refused in the filter's name, and the disk below closed", async () => {
    const close = vi.fn();
    const plugin = pipe(
      pluginOf(over(new Uint8Array(512), { close })),
      filter("shrink", () => ({ size: -1n })),
    );
    await expect(openDisk(plugin)).rejects.toThrow("shrink opened a disk of size -1");
    expect(close).toHaveBeenCalledOnce();
  });
});

describe("hooks", () => {
  const source = (): Plugin => ({
    ...pluginOf(over(new Uint8Array(512))),
    preconnect: vi.fn(),
    exports: () => [{ name: "a" }],
    defaultExport: () => "a",
  });

  test("that a filter does not have are those of the layer below", async () => {
    const below = source();
    const plugin = pipe(below, pass(), pass());
    await plugin.preconnect?.(peer);
    expect(below.preconnect).toHaveBeenCalledExactlyOnceWith(peer);
    expect(await plugin.exports?.(client)).toEqual([{ name: "a" }]);
    expect(await plugin.defaultExport?.(client)).toBe("a");
  });

  test("that no layer has are not there", () => {
    const plugin = pipe(pluginOf(over(new Uint8Array(512))), pass());
    for (const hook of ["preconnect", "exports", "defaultExport"]) expect(hook in plugin).toBe(false);
  });

  test("get the layer below, and decide in its place", async () => {
    const below = source();
    const options: FilterOptions = {
      preconnect: vi.fn(),
      exports: async (next, info) => [...(((await next.exports?.(info)) ?? []) as Iterable<{ name: string }>), { name: "b" }],
      defaultExport: (next, info) => Promise.resolve(next.defaultExport?.(info)).then((name) => `${name}!`),
    };
    const plugin = pipe(below, pass("f", options));
    await plugin.preconnect?.(peer);
    expect(options.preconnect).toHaveBeenCalledOnce();
    expect(below.preconnect).not.toHaveBeenCalled();
    expect(await plugin.exports?.(client)).toEqual([{ name: "a" }, { name: "b" }]);
    expect(await plugin.defaultExport?.(client)).toBe("a!");
  });

  test("keep the this of the options they stand in", async () => {
    const options = {
      names: ["x"],
      exports(): { name: string }[] {
        return this.names.map((name) => ({ name }));
      },
    };
    expect(await pipe(source(), pass("f", options)).exports?.(client)).toEqual([{ name: "x" }]);
  });

  test("open may ask the layer below for something else, or several things", async () => {
    const open = vi.fn((_request: OpenRequest) => over(new Uint8Array(512)));
    const renamed = pass("f", { open: (next, { exportName, ...rest }) => next.open({ ...rest, exportName: `${exportName}.img` }) });
    const disk = await openDisk(pipe(pluginOf(open), renamed), { exportName: "a" });
    expect(open.mock.calls[0]?.[0].exportName).toBe("a.img");
    await disk.close();
  });

  test("open of a plugin that was not put together by pipe() is completed all the same", async () => {
    const plugin = pass("f", { open: (next, wish) => next.open(wish) })(pluginOf(over(pattern(512))));
    await using disk = await openDisk(plugin);
    await disk.zero(0n, 512n);
  });
});

describe("starting and closing", () => {
  const noted = (order: string[], name: string, more: FilterOptions = {}): FilterOptions => ({
    start: () => void order.push(`start ${name}`),
    close: () => void order.push(`close ${name}`),
    ...more,
  });
  const source = (order: string[], more: Partial<Plugin> = {}) =>
    pluginOf(over(new Uint8Array(512), { close: () => void order.push("close connection") }), {
      start: () => void order.push("start source"),
      close: () => void order.push("close source"),
      ...more,
    });

  test("layers start from the source up and close from the client down", async () => {
    const order: string[] = [];
    const closing = (name: string) => filter(name, () => ({ close: () => void order.push(`close disk of ${name}`) }), noted(order, name));
    await (await openDisk(pipe(source(order), closing("B"), closing("A")))).close();
    expect(order).toEqual([
      "start source",
      "start B",
      "start A",
      "close disk of A",
      "close disk of B",
      "close connection",
      "close A",
      "close B",
      "close source",
    ]);
  });

  test("a filter that does not start has those below closed", async () => {
    const order: string[] = [];
    const failing = noted(order, "B", { start: () => Promise.reject(new Error("no key")) });
    await expect(openDisk(pipe(source(order), pass("B", failing), pass("A", noted(order, "A"))))).rejects.toThrow("no key");
    expect(order).toEqual(["start source", "close source"]);
  });

  test("a layer is closed also when that above it fails to, and no error is lost", async () => {
    const order: string[] = [];
    const failing = (name: string) =>
      filter(
        name,
        () => ({ close: () => Promise.reject(new Error(`disk of ${name}`)) }),
        noted(order, name, { close: () => Promise.reject(new Error(name)) }),
      );
    const disk = await openDisk(pipe(source(order), failing("B"), failing("A")));
    await expect(disk.close()).rejects.toThrow("disk of A; then disk of B; then A; then B");
    expect(order).toEqual(["start source", "start B", "start A", "close connection", "close source"]);
  });

  test("a filter's disk may use the disk below until it has closed", async () => {
    const bytes = new Uint8Array(512);
    const writesBack = filter("writeback", (disk) => ({
      async close() {
        await disk.write(Uint8Array.of(7), 0n);
      },
    }));
    await (await openDisk(pipe(pluginOf(over(bytes)), writesBack))).close();
    expect(bytes[0]).toBe(7);
  });

  test("a filter's disk is closed when none of its calls is under way", async () => {
    const reading = deferred();
    const close = vi.fn();
    const disk = await openDisk(
      pipe(
        pluginOf(over(new Uint8Array(512))),
        filter("slow", () => ({ read: () => reading.promise, close })),
      ),
    );
    const read = disk.read(new Uint8Array(1), 0n);
    const closed = disk.close();
    expect(close).not.toHaveBeenCalled();
    reading.resolve();
    await read;
    await closed;
    expect(close).toHaveBeenCalledOnce();
  });
});

test("the example of the documentation: a disk on which every byte is inverted", async () => {
  const invert = filter("invert", (disk) => ({
    async read(target, offset) {
      await disk.read(target, offset);
      for (const [i, byte] of target.entries()) target[i] = ~byte;
    },
    write: (source, offset, flags) =>
      disk.write(
        source.map((byte) => ~byte),
        offset,
        flags,
      ),
    zero: undefined,
    extents: undefined,
  }));
  const bytes = pattern(512);
  // Trimming such a disk zeroes it below, which must not stand in for zeroing it here.
  const trim = (offset: bigint, length: bigint) => void bytes.fill(0, Number(offset), Number(offset + length));
  const source = pluginOf(over(bytes, { trim, zero: trim, traits: { trimZeroes: true, fastZero: true }, views: () => [bytes] }));
  await using disk = await openDisk(pipe(source, invert));
  const target = new Uint8Array(4);
  await disk.read(target, 0n);
  expect(target).toEqual(pattern(4).map((byte) => ~byte));
  await disk.write(Uint8Array.of(1, 2, 3, 4), 8n);
  expect(bytes.subarray(8, 12)).toEqual(Uint8Array.of(254, 253, 252, 251));
  await disk.zero(8n, 2n);
  await disk.read(target, 8n);
  expect(target).toEqual(Uint8Array.of(0, 0, 3, 4));
  expect(disk.capabilities).toMatchObject({ zero: false, fastZero: false, trimZeroes: false, views: false, extents: false });
  expect(await thrownBy(() => disk.zero(0n, 1n, { fua: false, noHole: false, fastZero: true }))).toMatchObject({ code: "ENOTSUP" });
});

test("a filter may be laid over a plugin that is opened directly, by a request of one's own", async () => {
  const disk = (await pass()(pluginOf(over(pattern(512)))).open(request)) as Disk;
  expect(isDisk(disk)).toBe(true);
  await disk.close();
});
