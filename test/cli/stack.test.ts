// From names and key=value to a disk: the order of filters, and who gets which key.

import { describe, expect, it } from "vitest";
import { lookUpStack, makeDisk } from "../../src/cli/stack.ts";
import { openDisk } from "../../src/index.ts";
import { doubles } from "./fixtures/doubles.ts";
import { testHost } from "./fixtures/host.ts";

/** What the disk of a command line says of itself. */
async function description(plugin: string, filters: readonly string[], ...parameters: string[]): Promise<string | undefined> {
  const stack = await lookUpStack(doubles, plugin, filters);
  await using disk = await openDisk(await makeDisk(stack, parameters, testHost()));
  return disk.description;
}

describe("filters", () => {
  it("are nearest the client first: --filter=outer --filter=inner P is pipe(P, inner, outer)", async () => {
    expect(await description("every-type", ["outer", "inner"])).toBe("{} > inner{} > outer{}");
  });

  it("get the keys that they know, the plugin the others", async () => {
    const text = await description("every-type", ["outer", "inner"], "inner-size=1k", "integer=7", "outer-size=2k");
    expect(text).toBe('{"integer":7} > inner{"inner-size":1024} > outer{"outer-size":2048}');
  });

  it("keep a key from those further inside that know it too", async () => {
    expect(await description("every-type", ["outer", "inner"], "shared=x")).toBe('{} > inner{} > outer{"shared":"x"}');
    expect(await description("every-type", ["inner"], "shared=x")).toBe('{} > inner{"shared":"x"}');
    expect(await description("every-type", [], "shared=x")).toBe('{"shared":"x"}');
  });
});

describe("keys", () => {
  it("become options of their types", async () => {
    const text = await description(
      "every-type",
      [],
      "size=1M",
      "boolean=on",
      "integer=0x10",
      "number=0.5",
      "string=a=b",
      "path=/a/../b",
      "secret=s",
      "choice=green",
    );
    expect(JSON.parse(text ?? "")).toEqual({
      size: 2 ** 20,
      boolean: true,
      integer: 16,
      number: 0.5,
      string: "a=b",
      path: "/b",
      secret: "s",
      choice: "green",
    });
  });

  it("count the last time they are given, and every time where they may be repeated", async () => {
    expect(await description("every-type", [], "integer=1", "integer=2", "list=3", "list=4")).toBe('{"integer":2,"list":[3,4]}');
  });

  it("may be left out where the plugin has a magic one; what is no key=value is its value", async () => {
    expect(await description("every-type", [], "bare")).toBe('{"string":"bare"}');
    expect(await description("every-type", [], "=x")).toBe('{"string":"=x"}');
    expect(await description("every-type", [], "1a=x")).toBe('{"string":"1a=x"}');
    expect(await description("every-type", [], "a b=x")).toBe('{"string":"a b=x"}');
    expect(await description("every-type", [], "")).toBe('{"string":""}');
  });

  it("reach a plugin that takes any in the order in which they were given", async () => {
    expect(await description("any-key", [], "zzz=1", "known=2", "aaa=3")).toBe("zzz:1 known:2 aaa:3");
  });
});

describe("what is refused", () => {
  it.each([
    [
      "memroy",
      [],
      [],
      "there is no plugin 'memroy': did you mean memory? (the plugins are any-key, broken, every-type, memory, slow-start, stuck)",
    ],
    ["memory", ["cow"], [], "there is no filter 'cow' (the filters are inner, outer)"],
    ["memory", [], [], "memory: size= is missing: Size of the disk"],
    ["memory", [], ["1Q"], 'memory: size "1Q": expected bytes, or a number with a suffix: "4096", "64k", "1G", "3s" (sectors)'],
    ["memory", [], ["1M", "siz=2M"], "unknown parameter 'siz': did you mean size=? (memory takes size=)"],
    [
      "memory",
      ["inner"],
      ["colour=red"],
      "unknown parameter 'colour' (inner takes inner-size= shared=; memory takes size=; if all of it is the size, write size=colour=…)",
    ],
    ["any-key", [], ["bare"], 'any-key: expected key=value, got "bare" (any-key takes known=)'],
    ["any-key", [], [], "any-key: known= is missing: A number"],
    ["stuck", [], ["a=b"], "unknown parameter 'a' (stuck takes no parameters)"],
    ["every-type", ["inner"], ["inner-size=-1"], 'inner: inner-size "-1": it is negative'],
    ["broken", [], ["where=create"], "broken: failed in create"],
  ])("%s %j %j: says why and what there is", async (plugin, filters, parameters, text) => {
    await expect(description(plugin, filters, ...parameters)).rejects.toThrow(expect.objectContaining({ message: text }));
  });

  it("does not repeat a value, which may be a password", async () => {
    await expect(description("every-type", [], "passphrase=hunter2")).rejects.toThrow(/^(?!.*hunter2)/s);
  });
});

it("finds a plugin that another package brings", async () => {
  expect(await description("far-away", [])).toBe("far away");
});
