import { describe, expect, test, vi } from "vitest";
import { filter, isDisk, type OpenRequest, openDisk, type Plugin, pipe, type StartContext } from "../../src/contract/index.ts";
import { split } from "../../src/plugins/split.ts";
import { deferred } from "../fixtures/deferred.ts";
import { over, pluginOf, thrownBy } from "./fixtures.ts";

const bytes = new Uint8Array(512);

describe("openDisk", () => {
  test("starts the plugin, opens it for this process, and closes both", async () => {
    const order: string[] = [];
    const requests: OpenRequest[] = [];
    const plugin = pluginOf(
      (request) => {
        requests.push(request);
        order.push("open");
        return over(bytes, { close: () => void order.push("close connection") });
      },
      { start: () => void order.push("start"), close: () => void order.push("close plugin") },
    );
    const disk = await openDisk(plugin);
    expect(isDisk(disk)).toBe(true);
    expect(requests[0]).toMatchObject({ exportName: "", readonly: false, tls: false, peer: { transport: "process" } });
    expect(requests[0]?.signal.aborted).toBe(false);
    await disk.close();
    expect(order).toEqual(["start", "open", "close connection", "close plugin"]);
    expect(requests[0]?.signal.aborted).toBe(true);
  });

  test("leaves the plugin to its other users", async () => {
    const close = vi.fn();
    const plugin = pluginOf(() => over(bytes), { close });
    const [first, second] = [await openDisk(plugin), await openDisk(plugin)];
    await first.close();
    await first.close();
    expect(close).not.toHaveBeenCalled();
    await second.close();
    expect(close).toHaveBeenCalledOnce();
  });

  test("passes on the export and whether it will be written", async () => {
    const open = vi.fn((_request: OpenRequest) => over(bytes));
    await (await openDisk(pluginOf(open), { exportName: "backup", readonly: true })).close();
    expect(open.mock.calls[0]?.[0]).toMatchObject({ exportName: "backup", readonly: true });
  });

  test("asks for the default export when none is named", async () => {
    const open = vi.fn((_request: OpenRequest) => over(bytes));
    const plugin = pluginOf(open, { defaultExport: async () => "first" });
    await (await openDisk(plugin)).close();
    await (await openDisk(plugin, { exportName: "second" })).close();
    expect(open.mock.calls.map(([request]) => request.exportName)).toEqual(["first", "second"]);
  });

  test("is undone when opening fails, and shows that error and those of closing", async () => {
    const close = vi.fn();
    const signals: AbortSignal[] = [];
    const open = ({ signal }: OpenRequest) => {
      signals.push(signal);
      throw new Error("no such export");
    };
    await expect(openDisk(pluginOf(open, { close }))).rejects.toThrow("no such export");
    expect(close).toHaveBeenCalledOnce();
    expect(signals[0]?.aborted).toBe(true);
    const worse = pluginOf(open, { close: () => Promise.reject(new Error("not saved")) });
    await expect(openDisk(worse)).rejects.toThrow("no such export; then not saved");
  });

  test("does not open what cannot start", async () => {
    const open = vi.fn();
    await expect(openDisk(pluginOf(open, { start: () => Promise.reject(new Error("no route")) }))).rejects.toThrow("no route");
    expect(open).not.toHaveBeenCalled();
  });

  test("shows what fails in closing, also when both the connection and the plugin do", async () => {
    const failing = (text: string) => ({ close: () => Promise.reject(new Error(text)) });
    const one = await openDisk(pluginOf(() => over(bytes, failing("not saved"))));
    await expect(one.close()).rejects.toThrow(/^not saved$/);
    const both = await openDisk(pluginOf(() => over(bytes, failing("not saved")), failing("not ended")));
    await expect(both.close()).rejects.toThrow("not saved; then not ended");
  });

  test("refuses what is no plugin with a hint at what went wrong", async () => {
    const plugin = pluginOf(over(bytes));
    for (const [value, text] of [
      [undefined, "what openDisk() is to open is not a plugin: it is undefined"],
      [Promise.resolve(plugin), "not a plugin but a promise: await it"],
      [{ name: "x" }, "it has no open()"],
      [{ open: () => over(bytes) }, "it has no name"],
      [function memory() {}, "it is the function memory: was it to be called?"],
    ] as const) {
      expect(await thrownBy(() => openDisk(value as never))).toMatchObject({ name: "TypeError", message: expect.stringContaining(text) });
    }
  });

  test("names the plugin that opened nothing", async () => {
    await expect(openDisk(pluginOf((() => undefined) as never))).rejects.toThrow("fixture opened undefined: expected a connection");
  });

  test("takes a Disk for what it is: it is not completed again", async () => {
    const inner = await openDisk(pluginOf(() => over(bytes)));
    const disk = await openDisk(pluginOf(() => inner));
    expect(disk.read).toBe(inner.read);
    expect(disk.capabilities).toBe(inner.capabilities);
    await disk.close();
    expect(await thrownBy(() => inner.read(new Uint8Array(1), 0n))).toMatchObject({ code: "ESHUTDOWN" });
  });

  test("gives a disk with all that the connection says of itself", async () => {
    const blockSize = { minimum: 1, preferred: 4096, maximum: 65536 };
    const contexts = [{ name: "x-a:b", extents: () => [] }];
    await using disk = await openDisk(pluginOf(() => over(bytes, { blockSize, description: "letters", contexts, views: () => [bytes] })));
    expect(disk).toMatchObject({ size: 512n, blockSize, description: "letters", contexts: [{ name: "x-a:b" }] });
    expect(disk.views?.(0n, 512)).toEqual([bytes]);
  });
});

describe("a signal", () => {
  test("that is aborted already opens nothing", async () => {
    const start = vi.fn();
    await expect(openDisk(pluginOf(over(bytes), { start }), { signal: AbortSignal.abort(new Error("too late")) })).rejects.toThrow(
      "too late",
    );
    expect(start).not.toHaveBeenCalled();
  });

  test.each([
    ["the plugin", (plugin: Plugin) => plugin],
    [
      "what lies under filters",
      (plugin: Plugin) =>
        pipe(
          plugin,
          filter("one", () => ({})),
          filter("other", () => ({})),
        ),
    ],
    ["what lies under a filter written without the helper", (plugin: Plugin) => pipe(plugin, (next) => ({ ...next, name: "own" }))],
    ["a part of a split disk", (plugin: Plugin) => split([pluginOf(over(bytes)), plugin])],
  ])("that is aborted while %s starts is heeded at once, whatever the plugin does, and what starts later is closed", async (_, stack) => {
    const started = deferred();
    const controller = new AbortController();
    const close = vi.fn();
    const open = vi.fn();
    let signal: AbortSignal | undefined;
    const start = (context: StartContext): Promise<void> => {
      signal = context.signal;
      return started.promise;
    };
    const opening = openDisk(stack(pluginOf(open, { start, close })), { signal: controller.signal });
    await vi.waitFor(() => expect(signal).toBeDefined());
    controller.abort(new Error("never mind"));
    await expect(opening).rejects.toThrow("never mind");
    await vi.waitFor(() => expect(signal?.reason).toMatchObject({ message: "never mind" }));
    expect(close).not.toHaveBeenCalled();
    started.resolve();
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
    expect(open).not.toHaveBeenCalled();
  });

  test("ends what the plugin is doing, with its reason", async () => {
    const controller = new AbortController();
    const plugin = pluginOf(({ signal }) =>
      over(bytes, { read: () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))) }),
    );
    const disk = await openDisk(plugin, { signal: controller.signal });
    const reading = thrownBy(() => disk.read(new Uint8Array(1), 0n));
    controller.abort(new Error("never mind"));
    expect(await reading).toMatchObject({ message: "never mind" });
    await disk.close();
  });

  test("is let go when the disk is closed, however it was opened", async () => {
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    await (await openDisk(pluginOf(over(bytes)), { signal })).close();
    await thrownBy(() =>
      openDisk(
        pluginOf(() => Promise.reject(new Error("no"))),
        { signal },
      ),
    );
    await thrownBy(() => openDisk(pluginOf(over(bytes), { start: () => Promise.reject(new Error("no")) }), { signal }));
    expect(add).toHaveBeenCalledTimes(3);
    expect(remove.mock.calls.map((call) => call[1])).toEqual(add.mock.calls.map((call) => call[1]));
  });
});

test("a stack opened twice shares its plugin and closes it once", async () => {
  const start = vi.fn();
  const close = vi.fn();
  const plugin = pluginOf(() => over(bytes), { start, close });
  const pass = filter("pass", () => ({}));
  const disks = [await openDisk(pipe(plugin, pass)), await openDisk(pipe(plugin, pass, pass)), await openDisk(plugin)];
  expect(start).toHaveBeenCalledOnce();
  for (const disk of disks) {
    expect(close).not.toHaveBeenCalled();
    await disk.close();
  }
  expect(close).toHaveBeenCalledOnce();
});
