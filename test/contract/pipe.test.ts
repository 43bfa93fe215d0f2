import { describe, expect, test, vi } from "vitest";
import { type Filter, filter, isDisk, openDisk, type Plugin, pipe } from "../../src/contract/index.ts";
import { over, pluginOf } from "./fixtures.ts";

const bytes = new Uint8Array(512);

/** Writes its name into the first byte after what is below had its say. */
function append(name: string): Filter {
  return filter(name, (disk) => ({ description: `${name}(${disk.description ?? ""})` }));
}

test("pipe(P, B, A) has A nearest the client, as nbdkit's --filter=A --filter=B P", async () => {
  const stack = pipe(pluginOf(over(bytes, { description: "P" })), append("B"), append("A"));
  expect(stack.name).toBe("A");
  await using disk = await openDisk(stack);
  expect(disk.description).toBe("A(B(P))");
});

test("without filters it is the source itself", () => {
  const source = pluginOf(over(bytes));
  expect(pipe(source)).toBe(source);
});

test("stacks can be piped on", async () => {
  const inner = pipe(pluginOf(over(bytes, { description: "P" })), append("C"));
  await using disk = await openDisk(pipe(inner, append("B"), append("A")));
  expect(disk.description).toBe("A(B(C(P)))");
});

describe("bad arguments are refused with a hint at what went wrong", () => {
  const source = pluginOf(over(bytes));
  test.each<[string, () => unknown, string]>([
    [
      "a source that was not called",
      () => pipe(function memory() {} as never),
      "the source of pipe() is not a plugin: it is the function memory",
    ],
    ["no source", () => pipe(undefined as never), "the source of pipe() is not a plugin: it is undefined"],
    ["a connection for a source", () => pipe(over(bytes) as never), "it has no open()"],
    ["a promise of a source", () => pipe(Promise.resolve(source) as never), "but a promise: await it"],
    ["a plugin for a filter", () => pipe(source, source as never), "filter 1 of pipe() is not a filter: it is an object"],
    ["undefined for a filter", () => pipe(source, append("a"), undefined as never), "filter 2 of pipe() is not a filter: it is undefined"],
    [
      "a filter's maker that was not called",
      () => pipe(source, (() => append("a")) as never),
      "what filter 1 of pipe() made is not a plugin: it is the function",
    ],
    ["a filter that makes nothing", () => pipe(source, (() => undefined) as never), "what filter 1 of pipe() made is not a plugin"],
    [
      "a filter that makes a promise",
      () => pipe(source, (async () => source) as never),
      "what filter 1 of pipe() made is not a plugin but a promise",
    ],
  ])("%s", (_, call, text) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(text);
  });
});

describe("a filter written by hand", () => {
  test("gets a completed disk from the layer below", async () => {
    const byHand: Filter = (next) => ({
      name: "by-hand",
      async open(request) {
        const disk = await next.open(request);
        expect(isDisk(disk)).toBe(true);
        return disk;
      },
    });
    await using disk = await openDisk(pipe(pluginOf(over(bytes)), byHand));
    await disk.zero(0n, 512n);
  });

  test("starts and closes the layer below, once in all, by calling its start and close", async () => {
    const start = vi.fn();
    const close = vi.fn();
    const byHand: Filter = (next) => ({
      name: "by-hand",
      start: (context) => next.start?.(context),
      open: (request) => next.open(request),
      close: () => next.close?.(),
    });
    const source = pluginOf(() => over(bytes), { start, close });
    const disks = [await openDisk(pipe(source, byHand)), await openDisk(source)];
    expect(start).toHaveBeenCalledOnce();
    for (const disk of disks) await disk.close();
    expect(close).toHaveBeenCalledOnce();
  });

  test("sees the hooks that the layer below has, with their this, and no others", async () => {
    class Source implements Plugin {
      readonly name = "source";
      readonly concurrency = "connection";
      readonly #names = ["a", "b"];
      exports() {
        return this.#names.map((name) => ({ name }));
      }
      defaultExport() {
        return this.#names[0] as string;
      }
      open() {
        return over(bytes);
      }
    }
    const seen: Plugin[] = [];
    const byHand: Filter = (next) => {
      seen.push(next);
      return next;
    };
    pipe(new Source(), byHand);
    const [next] = seen;
    const client = {} as never;
    expect(next).toMatchObject({ name: "source", concurrency: "connection" });
    expect(await next?.exports?.(client)).toEqual([{ name: "a" }, { name: "b" }]);
    expect(await next?.defaultExport?.(client)).toBe("a");
    expect(next && "preconnect" in next).toBe(false);
  });
});
